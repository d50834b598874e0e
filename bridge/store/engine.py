"""What a store is kept in: a file of SQLite's, or a database of PostgreSQL.

`of` makes the engine for a place: the path of a file, or a URL. What is only for PostgreSQL is imported only then.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bridge.errors import ConfigurationError
from bridge.store import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bridge.errors import PostbellError
    from bridge.store.writer import Transaction

C = TypeVar("C", bound="Callable[..., Any]")


class StoreCursor(Protocol):
    """The rows of a statement that was done, as tuples, and how many rows it changed."""

    @property
    def rowcount(self) -> int:
        """Of INSERT, UPDATE and DELETE."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All further rows."""

    def __iter__(self) -> Iterator[Any]: ...


class StoreConnection(Protocol):
    """What the operations have statements done by: SQL that both engines understand (`bridge/postgres/dialect.py`)."""

    def execute(self, sql: str, parameters: Any = ..., /) -> StoreCursor:
        """One statement, with its parameters in order or by name."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> StoreCursor:
        """The same statement for each of many rows of parameters."""


class Engine(Protocol):
    """How a database is opened, and what its errors mean."""

    place: str
    """For people: where it is."""

    def prepare(self, *, for_command: bool = False) -> None:
        """Have the newest schema there; raises store errors.

        A command makes a database that several bridges use, and leaves it to them to make it newer.
        """

    def connect(self, *, reading: bool = False) -> Any:
        """A connection for use by one thread; one for `reading` never writes."""

    def require_newest(self, connection: Any) -> None:
        """Raises store errors for a schema that is not this version's."""

    def begin(self, connection: Any) -> None:
        """Begin a transaction that writes."""

    def commit(self, connection: Any) -> None:
        """When it returns all is on disk; when it raises who knows, and nobody is told that it is."""

    def rollback(self, connection: Any) -> None:
        """Take back what was done, if anything was begun."""

    def announce(self, connection: Any, transaction: Transaction) -> None:
        """Tell other processes what was committed."""

    def translate(self, error: BaseException) -> PostbellError | None:
        """The typed error for one of the database; None for any other."""

    def concerns_database(self, error: BaseException) -> bool:
        """Whether database, disk, or the way there is to blame, rather than an operation."""

    def again(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed at once."""

    def form(self, operation: C) -> C:
        """An operation as it is done there."""


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

    def announce(self, connection: sqlite3.Connection, transaction: Transaction) -> None:
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


def of(place: Path | str) -> Engine:
    """The engine for a place: the path of a file, or the URL of a database."""
    if isinstance(place, Path):
        return SqliteEngine(place)
    try:
        from bridge.store.postgres import PostgresEngine  # noqa: PLC0415 - for those who have such a store
    except ImportError as error:
        raise ConfigurationError(
            f"store.url: psycopg, which speaks to PostgreSQL, cannot be used ({error}); install it beside Postbell, as "
            "with: pip install 'postbell[postgresql]', and libpq (Debian: libpq5)"
        ) from error
    return PostgresEngine(place)
