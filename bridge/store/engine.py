"""What a store is kept in, a file of SQLite's or a database of PostgreSQL, as whoever opens one needs it.

The operations are written for both. `places.py` makes the engine for a place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from bridge.errors import PostbellError

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

    def announce(self, connection: Any, marked: Collection[int]) -> None:
        """Tell other processes of which users something waits since the last COMMIT."""

    def translate(self, error: BaseException) -> PostbellError | None:
        """The typed error for one of the database; None for any other."""

    def concerns_database(self, error: BaseException) -> bool:
        """Whether database, disk, or the way there is to blame, rather than an operation."""

    def again(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed at once."""

    def form(self, operation: C) -> C:
        """An operation as it is done there."""
