"""Files written whole or not at all, with their owner and mode from the first moment."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.config.permissions import FileMode


@dataclass(frozen=True, slots=True)
class Content:
    """What a file is to hold, and who may read it: `owner` as user and group by number, -1 for who writes it."""

    path: Path
    data: bytes
    mode: int
    owner: tuple[int, int] = (-1, -1)


def write(*contents: Content) -> None:
    """Put files into their places, all of them or none: first each beside its place, then all are renamed.

    They are on disk when this returns. Raises OSError, and ConfigurationError for a user or group that is not there.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for content in contents:
            hidden = content.path.with_name(f".{content.path.name}.{secrets.token_hex(6)}")
            waiting.append((hidden, content.path))
            _create(hidden, content)
        for hidden, path in waiting:
            hidden.rename(path)
    finally:
        for hidden, _ in waiting:
            hidden.unlink(missing_ok=True)
    for folder in {path.parent for _, path in waiting}:
        _sync(folder)


def make_folder(path: Path, mode: FileMode, *, user: str = "", group: str = "") -> bool:
    """Make sure of a folder with its mode and owner; whether anything had to be done. Raises OSError.

    One that was ours is given away with all that is in it.
    """
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(mode)
        os.chown(path, *ids(user, group))
        return True
    found, (uid, gid) = path.stat(), ids(user, group)
    right = (found.st_mode & 0o777, found.st_uid, found.st_gid)
    wanted = (int(mode), found.st_uid if uid < 0 else uid, found.st_gid if gid < 0 else gid)
    if right == wanted:
        return False
    if uid >= 0 and found.st_uid == os.geteuid() != uid:
        _give_away(path, uid, gid)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return True


def _give_away(folder: Path, uid: int, gid: int) -> None:
    """All that is in a folder of ours, where nobody else can have put anything."""
    for inside in folder.rglob("*"):
        os.chown(inside, uid, gid, follow_symlinks=False)


def put_aside(path: Path) -> Path:
    """Rename a file, so that another may take its place: FILE.old-1, or the next number that is free."""
    aside = next(name for name in _numbered(path) if not name.exists())
    with suppress(FileExistsError):
        os.link(path, aside)
    return aside


def ids(user: str, group: str) -> tuple[int, int]:
    """The numbers of a user and a group, -1 for what is to stay; raises ConfigurationError."""
    try:
        return pwd.getpwnam(user).pw_uid if user else -1, grp.getgrnam(group).gr_gid if group else -1
    except KeyError as error:
        raise ConfigurationError(f"{error.args[0]}; make it, or name another with --run-as") from error


def _numbered(path: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield path.with_name(f"{path.name}.old-{number}")


def _create(path: Path, content: Content) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content.data)
        stream.flush()
        os.fchown(descriptor, *content.owner)
        os.fchmod(descriptor, content.mode)
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
