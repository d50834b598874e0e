"""The questions of `postbell init`: answered by options, else on the terminal, and judged at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from bridge.init import answers, finding
from bridge.init.answers import Answers, MailServer, Tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
K = TypeVar("K", MailServer, Tls)

DEVICE = "phone"
_HOST = "1/5  The name or address that devices connect to. It has to lead to this machine from wherever they are."
_SERVER = "2/5  The mail server on this machine that is to hand over copies of mail."
_TLS = """3/5  The certificate that devices are shown.
     letsencrypt: the one that certbot has for this name; each renewed one is taken over
     local-ca:    made here, by an authority of your own that each device has to be told to trust
     files:       one that you have, with its key
     none:        no devices but those on this machine"""
_USER = "4/5  The first user, and the mail address that is theirs (@example.org for all of a domain)."
_DEVICE = "5/5  The first device of that user; it gets a login of its own."


@dataclass(frozen=True, slots=True)
class Said:
    """What was said by options; None and empty where nothing was."""

    host: str | None = None
    mail_server: MailServer | None = None
    tls: Tls | None = None
    certificate: Path | None = None
    key: Path | None = None
    user: str | None = None
    addresses: tuple[str, ...] = ()
    device: str | None = None
    port: int = answers.MQTTS
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposed:
    """What is put into brackets: found on this machine, or as it was set up before."""

    host: str
    mail_server: MailServer
    user: str


def mistakes(given: Said) -> Iterator[str]:
    """What of the options cannot be meant, each with the option and what to write instead."""
    said: list[tuple[str, Callable[[str], object], str | None]] = [
        ("--host", answers.host, given.host),
        ("--user", answers.user, given.user),
        *(("--address", answers.address, address) for address in given.addresses),
        ("--device", answers.device, given.device),
        *(("--also", answers.host, name) for name in given.also),
        ("--cert", _file, None if given.certificate is None else str(given.certificate)),
        ("--key", _file, None if given.key is None else str(given.key)),
    ]
    for option, parse, value in said:
        if value is not None:
            try:
                parse(value)
            except ValueError as error:
                yield f"{option}: {error}"


def missing(given: Said, *, defaults: bool) -> Iterator[str]:
    """What has to be said where nobody can be asked; with `defaults` what is proposed for the rest will do.

    Who connects from where and whose mail it is are not guessed.
    """
    needed: dict[str, object] = {"--host": given.host, "--user": given.user, "--address": given.addresses}
    if not defaults:
        needed |= {"--mta": given.mail_server, "--tls": given.tls, "--device": given.device}
    if given.tls is Tls.FILES:
        needed |= {"--cert": given.certificate, "--key": given.key}
    left_out = [option for option, value in needed.items() if not value and value != ""]
    if left_out:
        rest = (
            "" if defaults else ", or answer on a terminal; --yes takes what is proposed for --mta, --tls and --device"
        )
        yield f"init: nobody can be asked here: name {', '.join(left_out)}{rest}"


def without_asking(given: Said, proposed: Proposed) -> Answers:
    """The answers that the options give, with what is proposed for the rest; `mistakes` has nothing to say of them."""
    host = answers.host(given.host or proposed.host)
    return Answers(
        host=host,
        mail_server=given.mail_server or proposed.mail_server,
        tls=given.tls or _tls(host),
        user=answers.user(given.user or proposed.user),
        addresses=_addresses(given),
        device=answers.device(given.device or DEVICE),
        port=given.port,
        certificate=_absolute(given.certificate),
        key=_absolute(given.key),
        also=_also(given),
    )


def asked(given: Said, proposed: Proposed) -> Answers:
    """The answers of the options, in which is no mistake, and those of a person on the terminal for the rest."""
    host = _answer(_HOST, "Host", given.host, proposed.host, answers.host)
    server = given.mail_server or _choice(_SERVER, "Mail server", MailServer, proposed.mail_server)
    tls = given.tls or _choice(_TLS, "Certificate", Tls, _tls(host))
    certificate, key = given.certificate, given.key
    if tls is Tls.FILES:
        certificate = certificate or _ask("     Certificate with its chain (PEM)", "", _file)
        key = key or _ask("     Its key (PEM)", "", _file)
    user = _answer(_USER, "User", given.user, proposed.user, answers.user)
    addresses = _addresses(given) or (_ask("     Address", _address_of(user, host), answers.address),)
    device = _answer(_DEVICE, "Device", given.device, DEVICE, answers.device)
    return Answers(
        host=host,
        mail_server=server,
        tls=tls,
        user=user,
        addresses=addresses,
        device=device,
        port=given.port,
        certificate=_absolute(certificate),
        key=_absolute(key),
        also=_also(given),
    )


def _tls(host: str) -> Tls:
    return Tls.LETSENCRYPT if finding.lineage(host) else Tls.LOCAL_CA


def _address_of(user: str, host: str) -> str:
    """A guess to be read and mended: mail is seldom addressed to the host itself."""
    domain = host.removeprefix("mail.").removeprefix("mx.")
    return f"{user}@{domain}" if "." in domain and not domain.replace(".", "").isdigit() else ""


def _also(given: Said) -> tuple[str, ...]:
    return tuple(map(answers.host, given.also))


def _addresses(given: Said) -> tuple[str, ...]:
    return tuple(map(answers.address, given.addresses))


def _absolute(path: Path | None) -> Path | None:
    """A file as it is named in the configuration, which is read from another folder."""
    return None if path is None else path.absolute()


def _answer(explained: str, asked_for: str, given: str | None, proposed: str, parse: Callable[[str], str]) -> str:
    if given is not None:
        return parse(given)
    typer.echo(f"\n{explained}")
    return _ask(f"     {asked_for}", proposed, parse)


def _choice(explained: str, asked_for: str, kinds: type[K], proposed: K) -> K:
    typer.echo(f"\n{explained}")
    return _ask(f"     {asked_for} ({', '.join(kinds)})", proposed, lambda said: _kind(kinds, said))


def _kind(kinds: type[K], said: str) -> K:
    try:
        return kinds(said.strip().lower())
    except ValueError:
        raise ValueError(f"{said!r}: write one of {', '.join(kinds)}") from None


def _ask(prompt: str, proposed: str, parse: Callable[[str], T]) -> T:
    """Ask until the answer can be meant."""
    while True:
        said: str = typer.prompt(prompt, default=proposed or None, type=str)
        try:
            return parse(said)
        except ValueError as error:
            typer.echo(f"     {error}")


def _file(said: str) -> Path:
    path = Path(said.strip()).expanduser()
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    return path
