"""From the answers to what is to be done, step by step. Pure: `carrying.py` does it, `--dry-run` prints it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import UnixAddress
from bridge.config.permissions import FileMode
from bridge.init import configuration, places, texts
from bridge.init.answers import MailServer, Tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.init.answers import Answers
    from bridge.init.configuration import Known
    from bridge.init.places import Installation
    from bridge.setup.recipe import File

GROUPS: Final = {MailServer.POSTFIX: "postfix", MailServer.DOVECOT: "postfix", MailServer.EXIM: "Debian-exim"}
"""The group that each mail server hands mail over in; Dovecot's copies are carried by Postfix."""

UNITS_GROUP: Final = "postfix"
"""Whom postbell.socket lets in unless it is told otherwise."""

LETSENCRYPT: Final = PurePath("/etc/letsencrypt")
CRON: Final = PurePath("/etc/cron.weekly")
_SOCKET = PurePath("/var/spool/postbell/lmtp.sock")
_ALL, _READ, _GROUP_READ, _RUN = FileMode(0o755), FileMode(0o644), FileMode(0o750), FileMode(0o755)
_OURS = FileMode(0o700)


@dataclass(frozen=True, slots=True)
class Machine:
    """What is there already. `program` is how `postbell` is called by other programs, with its whole path.

    `service_unit` and `socket_unit`: systemd runs this installation, and opens its socket; `units` are the files that
    have to be there for that and are not. `on_path`: a shell finds the program by its name alone.
    """

    root: bool
    systemd: bool
    program: str
    account: bool = False
    service_unit: bool = False
    socket_unit: bool = False
    units: tuple[File, ...] = ()
    cron: bool = False
    on_path: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A system user with a group of the same name, and its home; who cannot log in."""

    name: str
    home: PurePath

    def __str__(self) -> str:
        return f"system user {self.name}"


@dataclass(frozen=True, slots=True)
class Membership:
    """A user is put into a group."""

    user: str
    group: str

    def __str__(self) -> str:
        return f"user {self.user} in the group {self.group}"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with its mode; `user` and `group` are those of who carries it out where they are empty."""

    path: PurePath
    mode: FileMode
    user: str = ""
    group: str = ""

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file with its whole text and its mode."""

    path: PurePath
    text: str
    mode: FileMode = _READ

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Authority:
    """A local CA, and a certificate of it for these names, with keys that only root and `group` may read."""

    folder: PurePath
    names: tuple[str, ...]
    group: str = ""

    def __str__(self) -> str:
        return f"{self.folder / configuration.CHAIN}, for {', '.join(self.names)}, of a local CA"


@dataclass(frozen=True, slots=True)
class Copies:
    """A certificate and its key, copied so that `group` may read them; they must be good for `host`."""

    folder: PurePath
    certificate: PurePath
    key: PurePath
    host: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.folder / configuration.CHAIN}, a copy of {self.certificate}"


@dataclass(frozen=True, slots=True)
class Command:
    """A program to be run. One that is not `required` may fail, and is then told as still to be done."""

    words: tuple[str, ...]
    required: bool = True

    def __str__(self) -> str:
        return " ".join(self.words)


Step = Account | Membership | Folder | TextFile | Authority | Copies | Command


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in their order, and which file is the configuration among them."""

    steps: tuple[Step, ...]
    configuration: PurePath

    @property
    def files(self) -> tuple[TextFile, ...]:
        """All files that are written with a text."""
        return tuple(step for step in self.steps if isinstance(step, TextFile))


def make(answers: Answers, place: Installation, machine: Machine, *, known: Known) -> Plan:
    """What is to be done for these answers at this place; `known` are all keys of the configuration."""
    place = _place(place, answers, machine)
    group = GROUPS.get(answers.mail_server, "")
    by_itself = group if isinstance(place.lmtp, UnixAddress) and not machine.socket_unit else ""
    values = configuration.values(answers, place, socket_group=by_itself)
    text = configuration.text(values, known)
    steps = (
        *_accounts(place, machine, group=by_itself),
        *_folders(place),
        *_certificate(answers, place, machine),
        *_units(place, machine, group=group),
        TextFile(place.configuration, text),
    )
    return Plan(steps, place.configuration)


def _place(place: Installation, answers: Answers, machine: Machine) -> Installation:
    """Where no systemd makes /run/postbell at each start, the socket is in a folder that stays."""
    del answers
    if place.account and not machine.socket_unit:
        return places.with_socket(place, _SOCKET)
    return place


def _accounts(place: Installation, machine: Machine, *, group: str) -> Iterator[Step]:
    if place.account and not machine.account:
        yield Account(place.account, place.state)
    if place.account and group:
        yield Membership(place.account, group)


def _folders(place: Installation) -> Iterator[Step]:
    yield Folder(place.folder, _ALL)
    yield Folder(place.tls, _GROUP_READ if place.account else _OURS, group=place.group)
    yield Folder(place.state, _OURS, place.account, place.group)
    if place.account and isinstance(place.lmtp, UnixAddress) and place.lmtp.path == _SOCKET:
        yield Folder(_SOCKET.parent, _ALL, place.account, place.group)


def _certificate(answers: Answers, place: Installation, machine: Machine) -> Iterator[Step]:
    match answers.tls:
        case Tls.LOCAL_CA:
            names = tuple(dict.fromkeys((answers.host, *answers.also, "localhost", "127.0.0.1", "::1")))
            yield Authority(place.tls, names, place.group)
            yield from _renewal(place, machine)
        case Tls.LETSENCRYPT:
            lineage = LETSENCRYPT / "live" / answers.host
            yield Copies(
                place.tls, lineage / configuration.CHAIN, lineage / configuration.KEY, answers.host, place.group
            )
            hook = texts.deploy_hook(lineage, _certificate_command("install", place, machine))
            yield TextFile(LETSENCRYPT / "renewal-hooks" / "deploy" / "postbell", hook, _RUN)
        case Tls.FILES if place.account:
            assert answers.certificate is not None
            assert answers.key is not None
            yield Copies(place.tls, answers.certificate, answers.key, answers.host, place.group)
        case _:
            pass


def _renewal(place: Installation, machine: Machine) -> Iterator[Step]:
    """What looks each day whether the certificate has to be renewed."""
    program = _certificate_command("renew", place, machine)
    if machine.systemd:
        systemctl = ("systemctl",) if place.account else ("systemctl", "--user")
        yield TextFile(place.units / f"{texts.RENEWAL}.service", texts.renewal(program))
        yield TextFile(place.units / f"{texts.RENEWAL}.timer", texts.TIMER)
        yield Command((*systemctl, "daemon-reload"), required=False)
        yield Command((*systemctl, "enable", "--now", f"{texts.RENEWAL}.timer"), required=False)
    elif place.account and machine.cron:
        yield TextFile(CRON / texts.RENEWAL, texts.cron(program), _RUN)


def _units(place: Installation, machine: Machine, *, group: str) -> Iterator[Step]:
    if not place.account:
        if machine.systemd:
            named = ("--config", str(place.configuration))
            serve, reload = ((machine.program, what, *named) for what in ("serve", "reload"))
            yield TextFile(place.units / "postbell.service", texts.service(serve, reload))
            yield Command(("systemctl", "--user", "daemon-reload"), required=False)
        return
    for file in machine.units:
        yield TextFile(PurePath(file.path), file.text)
    if machine.socket_unit and group not in {"", UNITS_GROUP}:
        yield TextFile(place.units / "postbell.socket.d" / "group.conf", texts.socket_group(group))
    if machine.systemd:
        yield Command(("systemctl", "daemon-reload"), required=False)


def _certificate_command(what: str, place: Installation, machine: Machine) -> tuple[str, ...]:
    return (machine.program, "certificate", what, "--config", str(place.configuration))
