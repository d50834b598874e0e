"""The copies of the database that are made before a migration: how they are named, made and listed.

They lie beside it, as `postbell.db.schema-3.2026-07-01T12-00-00Z`: which schema, and when (UTC). An older version
of Postbell can go on with one of them.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import StoreUnavailableError
from bridge.store import snapshot

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

KEPT = 2
"""So many of the newest stay when another is made."""
MARGIN_BYTES = 16 * 2**20
"""What must be free beside the copy: the migration itself writes, and mail comes in."""
_NAME = re.compile(r"\.schema-(\d+)\.(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)")


@dataclass(frozen=True, slots=True)
class Copy:
    """One of them: the schema that it has, when it was made (UTC, as in its name), and how many bytes it takes."""

    path: Path
    schema: int
    made: str
    size: int


def make(path: Path, picture: sqlite3.Connection, *, schema: int, now_ms: int) -> Path:
    """Copy what a connection sees of the database at `path`; where the copy is.

    Raises StoreUnavailableError when there is no room for it, sqlite3.Error or OSError when it cannot be written;
    then nothing of it is left.
    """
    for old in listed(path)[:-KEPT]:
        old.path.unlink(missing_ok=True)
    _require_room(path)
    made = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(now_ms / 1000))
    copied = path.with_name(f"{path.name}.schema-{schema}.{made}")
    unfinished = path.with_name(f".{copied.name}.new")
    unfinished.unlink(missing_ok=True)
    try:
        snapshot.copy(picture, unfinished)
        if os.geteuid() == 0:  # whoever may use the database may use its copy
            owner = path.stat()
            os.chown(unfinished, owner.st_uid, owner.st_gid)
        unfinished.replace(copied)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_directory(path.parent)
    return copied


def listed(path: Path) -> list[Copy]:
    """The copies of the database at `path`, oldest first."""
    found = []
    for entry in path.parent.glob(f"{path.name}.schema-*"):
        match = _NAME.fullmatch(entry.name.removeprefix(path.name))
        if match is not None:
            found.append(Copy(entry, int(match[1]), match[2], entry.stat().st_size))
    return sorted(found, key=lambda copy: (copy.made, copy.schema))


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on stable storage."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_room(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    needed = path.stat().st_size + (log.stat().st_size if log.exists() else 0) + MARGIN_BYTES
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreUnavailableError(
            f"{path}: this version changes the database, and makes a copy before; that needs {needed >> 20} MiB, and "
            f"{free >> 20} are free. Make room on that disk, or move copies away that are no longer needed "
            f"({path.name}.schema-*). Until then no mail is taken, so the senders keep it."
        )
