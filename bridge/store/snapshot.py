"""A consistent picture of the database while others write: one read transaction, copied by SQLite's online backup.

In WAL mode a transaction that has begun to read sees the database as of that moment, whatever is committed
meanwhile, and no writer waits for it. So a copy is made from beginning to end, and never begun anew because
mail came in; the price is that the log cannot be emptied until the picture is let go.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STEP_PAGES = 1024
"""Pages copied at once, 4 MiB: after each an interruption is noticed."""


def begin(connection: sqlite3.Connection) -> None:
    """Have a connection see the database as it is now, until its transaction ends."""
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # to read is what fixes the moment


def copy(picture: sqlite3.Connection, to: Path) -> None:
    """Write what a connection sees into a new file, for its owner alone and synced; raises sqlite3.Error or OSError.

    The file is a whole database of its own. One that breaks off is for the caller to remove.
    """
    descriptor = os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(sqlite3.connect(to, isolation_level=None)) as target:
            target.execute("PRAGMA journal_mode = OFF").fetchone()  # nobody wants half a copy back
            target.execute("PRAGMA synchronous = OFF")
            picture.backup(target, pages=STEP_PAGES, sleep=0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
