"""The mail servers that were set up here: which, what their recipe has left, their way to the socket, their queues."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import UnixAddress
from bridge.daemon import mail_servers
from bridge.doctor.judge.access import SystemUser
from bridge.doctor.judge.files import Named
from bridge.doctor.judge.mta import Left, ServerSeen, SocketSeen
from bridge.doctor.look import queues
from bridge.doctor.look.files import named
from bridge.doctor.look.listeners import LISTENERS, address_of
from bridge.errors import ConfigurationError
from bridge.setup import postfix
from bridge.setup.recipe import MARKS, Site
from bridge.store import offline, people

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bridge.config.endpoints import Endpoint
    from bridge.config.settings import Settings
    from bridge.setup.recipe import File

PROGRAMS: Final = {"postfix": "postqueue", "dovecot": "postqueue", "exim": "exim4", "opensmtpd": "smtpctl"}
"""A program that each has to have, if it is still there."""
EXIM_USERS: Final = ("Debian-exim", "exim", "mail")
CHROOT: Final = 4
"""The field of a service in master.cf that says whether it has a root of its own (master(5))."""


def servers(settings: Settings) -> list[tuple[str, str]]:
    """The servers that were set up, and where the configuration of each is; raises OSError for who may not look."""
    return list(mail_servers.marked(settings.state_dir / MARKS))


def look(settings: Settings, *, owner: str, configuration: Path | None, now_s: float) -> list[ServerSeen]:
    """The facts of each; `owner` is who owns the state. Raises OSError for who may not look, and store errors."""
    marked = servers(settings)
    if not marked:
        return []
    with offline.reading(settings.place) as connection:
        addresses = tuple(people.all_addresses(connection))
    listens = {ear.name: address_of(settings, ear) for ear in LISTENERS if ear.name in {"smtp", "lmtp"}}
    site = Site(
        lmtp=listens["lmtp"],
        smtp=listens["smtp"],
        addresses=addresses,
        owner=owner,
        state_dir=str(settings.state_dir.absolute()),
    )
    return [_seen(server, directory, site, configuration, now_s) for server, directory in marked]


def _seen(server: str, directory: str, site: Site, configuration: Path | None, now_s: float) -> ServerSeen:
    again = mail_servers.by_hand(server, directory, configuration)
    seen = ServerSeen(mail_servers.NAMES[server], again)
    if mail_servers.program(PROGRAMS[server]) is None:
        return replace(seen, gone=f"its program {PROGRAMS[server]} is not on this machine")
    carrier, place = carried_by(server, directory)
    if carrier == "postfix" and not _account(carrier, place):
        main = Left(f"{place}/{postfix.MAIN}", "", None, "Postfix cannot use it", cure=f"postfix -c {place} check")
        return replace(seen, left=(main,), socket=SocketSeen(Named("lmtp.listen", str(site.lmtp)), None))
    seen = replace(
        seen,
        flush=queues.flush(carrier, place),
        socket=_socket(carrier, place, site.lmtp),
        waiting=queues.waiting(carrier, place, now_s=now_s),
    )
    try:
        recipe = mail_servers.recipe(server, site, directory=directory)
    except ConfigurationError as error:
        return replace(seen, left=(Left("the recipe", "", None, str(error)),))
    own = (_left(file.path, file.text) for file in recipe.files)
    within = (_left(path, text, own=False) for path, text in _by_file(recipe.within).items())
    return replace(seen, left=(*own, *within))


def carried_by(server: str, directory: str) -> tuple[str, str]:
    """Whose queue the copies of a server are in, and where its configuration is: Dovecot has none."""
    return ("postfix", postfix.ETC) if server == "dovecot" else (server, directory)


def _by_file(parts: tuple[File, ...]) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    for part in parts:
        texts[part.path] = texts.get(part.path, "") + part.text
    return texts


def _left(path: str, wanted: str, *, own: bool = True) -> Left:
    """A file as it is now; Postfix's parameters are asked for, since of two lines the later one counts."""
    directory, _, name = path.rpartition("/")
    if not own and name in {postfix.MAIN, postfix.MASTER}:
        there = mail_servers.postconf(directory, "-n" if name == postfix.MAIN else "-M")
        return (
            Left(path, wanted, there, own=False) if there else Left(path, wanted, None, "it cannot be read", own=False)
        )
    try:
        return Left(path, wanted, Path(path).read_text(encoding="utf-8", errors="replace"), own=own)
    except OSError as error:
        return Left(path, wanted, None, error.strerror or str(error), own=own)


def _socket(server: str, directory: str, lmtp: Endpoint | None) -> SocketSeen | None:
    """The way to the socket; None when the server comes over TCP."""
    if not isinstance(lmtp, UnixAddress) or server == "opensmtpd":
        return None
    path = Path(os.path.realpath(lmtp.path))
    chrooted = False
    if server == "postfix":
        fields = mail_servers.postconf(directory, "-M", f"{postfix.TRANSPORT}/unix").split()
        chrooted = len(fields) > CHROOT and fields[CHROOT] == "y"
    if chrooted:
        path = Path(mail_servers.postconf(directory, "-h", "queue_directory")) / path.relative_to("/")
    return SocketSeen(named("lmtp.listen", path), _account(server, directory), chrooted)


def _account(server: str, directory: str) -> SystemUser | None:
    """Who a server's process for LMTP runs as. Both give up all groups but that user's own."""
    names: Iterator[str] = iter(EXIM_USERS)
    if server == "postfix":
        names = iter((mail_servers.postconf(directory, "-h", "mail_owner"),))
    for name in names:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return SystemUser(entry.pw_uid, name, frozenset({entry.pw_gid}))
    return None
