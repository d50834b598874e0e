"""How much room there is, and how much of it is ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bridge.metrics.readings import DiskReadings

if TYPE_CHECKING:
    from pathlib import Path


def measure(database: Path, *, spool: int, spool_files: int) -> DiskReadings | None:
    """The file system with the database, and the database's files; None where it cannot be looked at."""
    try:
        system = os.statvfs(database.parent)
    except OSError:
        return None
    return DiskReadings(
        free=system.f_bavail * system.f_frsize,
        size=system.f_blocks * system.f_frsize,
        database=sum(_size(database.with_name(database.name + ending)) for ending in ("", "-wal", "-shm")),
        spool=spool,
        spool_files=spool_files,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
