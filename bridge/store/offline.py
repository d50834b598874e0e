"""The store for short-lived commands: one transaction or one look, then the file is closed."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from bridge.errors import StoreUnavailableError
from bridge.store import database, snapshot, turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.store.writer import Transaction


@contextmanager
def transaction(path: Path, *, now_ms: int, count: int, days: float) -> Iterator[Transaction]:
    """One synced transaction; nothing is kept when the block raises. Raises store errors."""
    from bridge.box.live_set import Retention  # noqa: PLC0415 - a command that only looks waits for none of these
    from bridge.store import live  # noqa: PLC0415
    from bridge.store.writer import Transaction  # noqa: PLC0415

    with turn.using(path):
        database.prepare(path)
    with _connected(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            work = Transaction(connection, now_ms)
            yield work
            retention = Retention(count, days)
            live.bring_up_to_date(work, retention)
            live.doubt_terms(work, retention)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def reading(path: Path, *, check: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, and makes nothing; with `check` the whole file is looked through for damage first.

    Raises store errors, also when there is no database, or one of an older schema.
    """
    if not path.exists():
        raise StoreUnavailableError(f"{path}: there is no database")
    with _connected(path) as connection:
        connection.execute("PRAGMA query_only = ON")
        database.require_newest(connection, path)
        if check:
            database.require_sound(connection, path)
        yield connection


@contextmanager
def picture(path: Path) -> Iterator[sqlite3.Connection]:
    """The same, and it sees the database as it was when the block began, whoever writes meanwhile."""
    with reading(path) as connection:
        snapshot.begin(connection)
        yield connection


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with turn.using(path), closing(database.connect(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise database.translate(error, path) from error
