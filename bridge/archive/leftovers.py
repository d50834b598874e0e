"""What a user leaves beside the database: files in the spool, journals of `watch`, bytes in the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge import spool
from bridge.store import database, messages, offline, turn

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cleared:
    """Spool files that are gone, and how many stay until a backup has ended."""

    files: frozenset[str]
    staying: int


def clear_spool(path: Path, spool_dir: Path) -> Cleared:
    """Remove the spool files whose rows are gone from the database at `path`; raises store errors or OSError."""
    with offline.reading(path) as connection:
        names = messages.discarded_files(connection)
    if spool.remove(spool_dir, names):
        return Cleared(frozenset(names), 0)
    return Cleared(frozenset(), len(names))


def clear_journals(watch_dir: Path, user: str) -> int:
    """Remove what `watch` on this machine remembers for a user; how many files that were."""
    journals = list(watch_dir.glob(f"{user}.*")) if watch_dir.is_dir() else []
    for journal in journals:
        journal.unlink(missing_ok=True)
    return len(journals)


def empty_log(path: Path) -> None:
    """Write over what the log of the database still says of rows that are gone, as far as nobody reads there now."""
    with turn.using(path), suppress(sqlite3.Error), closing(database.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def copies(state_dir: Path) -> list[Path]:
    """Copies of a whole state that lie in its directory: they still have what has been removed since."""
    patterns = ("postbell.db.schema-*", "postbell.db.damaged-*", "before-restore-*")
    return sorted(
        path for pattern in patterns for path in state_dir.glob(pattern) if not path.name.endswith(("-wal", "-shm"))
    )
