"""Who owns what, and who runs it."""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config.endpoints import UnixAddress
from bridge.doctor.judge.access import FileSeen, SystemUser
from bridge.doctor.judge.files import FilesSeen, Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bridge.config.settings import Settings

MOST_FILES = 5_000
"""A spool may be large: what is wrong with the owner of files is wrong with the first ones."""
ACCESS_LIST = "system.posix_acl_access"


def look(settings: Settings, *, configuration: Path | None, pid: int | None, command: str) -> FilesSeen:
    """The facts; `pid` is the running bridge's."""
    state = named("state_dir", settings.state_dir)
    contents = _contents(settings.state_dir)
    owner = next((each.uid for each in contents or () if each.path == str(settings.database)), None)
    if owner is None and state.place is not None:
        owner = state.place.uid
    return FilesSeen(
        state=state,
        asking=account(os.geteuid()),
        owner=None if owner is None else account(owner),
        service=None if pid is None else _running_as(pid),
        contents=None if contents is None else tuple(contents),
        configuration=None if configuration is None else named("--config", configuration),
        secrets=tuple(named(key, path) for key, path in secret_files(settings).items()),
        run=tuple(_socket("lmtp.listen", settings.lmtp.listen)) + tuple(_socket("smtp.listen", settings.smtp.listen)),
        command=command,
    )


def secret_files(settings: Settings) -> Mapping[str, Path]:
    """The files of passwords and keys by the keys that name them."""
    broker = settings.broker.others
    named_files = {
        "mqtt.password_file": settings.mqtt.password_file,
        "smtp.tls_key": settings.smtp.tls_key,
        "broker.tls_key": broker.get("tls_key"),
        "http.tls_key": getattr(settings.http, "tls_key", None),
    }
    return {key: Path(path) for key, path in named_files.items() if path}


def account(uid: int) -> SystemUser:
    """The system user of that number, also one without an entry."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return SystemUser(uid, f"user {uid}")
    return SystemUser(uid, entry.pw_name, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def named(key: str, path: Path) -> Named:
    """A file with the way to it, as far as it can be seen."""
    trail: list[FileSeen] = []
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - a link in it is part of the way, not to be followed away
    try:
        trail.extend(_place(each) for each in (*reversed(whole.parents), whole))
    except OSError as error:
        return Named(key, str(path), tuple(trail), error.strerror or str(error))
    return Named(key, str(path), tuple(trail))


def _place(path: Path) -> FileSeen:
    found = path.stat()
    listed = False
    with suppress(OSError):
        listed = ACCESS_LIST in os.listxattr(path)
    return FileSeen(str(path), found.st_uid, found.st_gid, found.st_mode, listed)


def _socket(key: str, address: object) -> Iterator[Named]:
    if isinstance(address, UnixAddress):
        yield named(key, Path(address.path))


def _contents(directory: Path) -> list[FileSeen] | None:
    """The files of a state directory and of the folders in it; None when this process may not look."""
    try:
        return list(islice(_walked(directory), MOST_FILES))
    except OSError:
        return None


def _walked(directory: Path) -> Iterator[FileSeen]:
    with os.scandir(directory) as entries:
        found: Iterable[os.DirEntry[str]] = sorted(entries, key=lambda entry: entry.name)
    folders = []
    for entry in found:
        with suppress(FileNotFoundError):  # a file that came and went
            seen = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(seen.st_mode):
                continue  # whose a link is makes no difference
            yield FileSeen(entry.path, seen.st_uid, seen.st_gid, seen.st_mode)
            if stat.S_ISDIR(seen.st_mode):
                folders.append(entry.path)
    for folder in folders:
        with suppress(OSError):
            yield from _walked(Path(folder))


def _running_as(pid: int) -> SystemUser | None:
    """Who runs a process, with the groups that it has."""
    with suppress(OSError):
        return account(Path(f"/proc/{pid}").stat().st_uid)
    return None
