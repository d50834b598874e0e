"""Where a store is kept: the path of a file, or the URL of a database.

What is for PostgreSQL alone is imported only then.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bridge.errors import ConfigurationError
from bridge.store import database

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bridge.errors import PostbellError
    from bridge.store.engine import Engine

C = TypeVar("C", bound="Callable[..., Any]")


class SqliteEngine:
    """A file of SQLite's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def prepare(self, *, for_command: bool = False) -> None:
        """Create or migrate the file; raises StoreCorruptError or StoreUnavailableError."""
        del for_command
        database.prepare(self._path)

    def connect(self, *, reading: bool = False) -> sqlite3.Connection:
        """A connection; raises sqlite3.Error."""
        connection = database.connect(self._path)
        if reading:
            connection.execute("PRAGMA query_only = ON")
        return connection

    def require_newest(self, connection: sqlite3.Connection) -> None:
        """Raises StoreUnavailableError for an older one, StoreCorruptError for a newer or another program's file."""
        database.require_newest(connection, self._path)

    def begin(self, connection: sqlite3.Connection) -> None:
        """From here on nobody else writes."""
        connection.execute("BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        """Synced when it returns."""
        connection.execute("COMMIT")

    def rollback(self, connection: sqlite3.Connection) -> None:
        """As it was before."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    def announce(self, connection: sqlite3.Connection, marked: Collection[int]) -> None:
        """Whoever wants to know looks at the file."""

    def translate(self, error: BaseException) -> PostbellError | None:
        """By what SQLite reported."""
        return database.translate(error, self._path) if isinstance(error, sqlite3.Error) else None

    def concerns_database(self, error: BaseException) -> bool:
        """A fresh connection recovers by itself from read-only, full or replaced files."""
        return isinstance(error, sqlite3.Error) and database.concerns_file(error)

    def again(self, error: BaseException) -> bool:
        """There is one writer, who has waited already."""
        del error
        return False

    def form(self, operation: C) -> C:
        """All are written for it."""
        return operation


def of(place: Path | str, *, node: str = "") -> Engine:
    """The engine for a place: the path of a file, or the URL of a database, for a bridge by its name."""
    if isinstance(place, Path):
        return SqliteEngine(place)
    try:
        from bridge.store.postgres import PostgresEngine  # noqa: PLC0415 - for those who have such a store
    except ImportError as error:
        raise ConfigurationError(
            f"store.url: psycopg, which speaks to PostgreSQL, cannot be used ({error}); install it beside Postbell, as "
            "with: pip install 'postbell[postgresql]', and libpq (Debian: libpq5)"
        ) from error
    return PostgresEngine(place, node=node)
