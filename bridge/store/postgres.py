"""PostgreSQL as what a store is kept in: several bridges may share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import psycopg

from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.store import (
    belongings,
    bodies,
    boxes,
    grouped_boxes,
    grouped_outbox,
    grouped_registered,
    grouped_repair,
    live,
    messages,
    outbox,
    parts,
    registered,
    repair,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bridge.errors import PostbellError
    from bridge.postgres.connection import PostgresConnection

C = TypeVar("C", bound="Callable[..., Any]")

MARKED = "postbell_marked"
"""The channel on which it is told for which shards something waits: their numbers, separated by commas."""
SHARDS = 64


class PostgresEngine:
    """A database by its URL. Sessions of a bridge say its `node`: whoever takes over from it ends those that hang."""

    def __init__(self, url: str, *, node: str = "") -> None:
        self._url = url
        self._node = node
        self.place = connecting.shown(url)

    def prepare(self, *, for_command: bool = False) -> None:
        """Make or migrate the schema; raises StoreUnavailableError or StoreCorruptError."""
        database.prepare(self._url, only_new=for_command)

    def connect(self, *, reading: bool = False) -> PostgresConnection:
        """A session; raises StoreUnavailableError."""
        name = f"{self._node} {'reader' if reading else 'writer'}".strip()
        return connecting.connect(self._url, name=name, reading=reading)

    def require_newest(self, connection: PostgresConnection) -> None:
        """Raises StoreUnavailableError for an older schema or none, StoreCorruptError for a newer one."""
        database.require_newest(connection, self._url)

    def begin(self, connection: PostgresConnection) -> None:
        """Others write as well: who changes a user's box locks it."""
        connection.begin()

    def commit(self, connection: PostgresConnection) -> None:
        """Neither cancelled nor limited in time; a warning that comes with it is no yes."""
        connection.commit()

    def rollback(self, connection: PostgresConnection) -> None:
        """As it was before; a session that is gone took all with it."""
        connection.rollback()

    def announce(self, connection: PostgresConnection, marked: Collection[int]) -> None:
        """Tell for which shards something waits, behind COMMIT: within, all who commit would wait for one another."""
        shards = sorted({user_id % SHARDS for user_id in marked})
        if shards:
            connection.execute("SELECT pg_notify(?, ?)", (MARKED, ",".join(map(str, shards))))

    def translate(self, error: BaseException) -> PostbellError | None:
        """By what PostgreSQL or the way there reported."""
        return database.translate(error, self._url) if isinstance(error, psycopg.Error) else None

    def concerns_database(self, error: BaseException) -> bool:
        """Also where it is not known what became of a COMMIT: what it was about is not done anew here."""
        return database.concerns_connection(error)

    def again(self, error: BaseException) -> bool:
        """Two waited for one another, or one too long."""
        return database.again(error)

    def form(self, operation: C) -> C:
        """The set-based form of an operation that has one."""
        return cast("C", FORMS.get(operation, operation))


FORMS: dict[Callable[..., Any], Callable[..., Any]] = {
    boxes.load: grouped_boxes.load,
    boxes.write: grouped_boxes.write,
    live.bring_up_to_date: grouped_boxes.bring_up_to_date,
    messages.body: parts.body,
    messages.spooled_files: parts.no_files,
    messages.discarded_files: parts.no_files,
    belongings.messages: parts.messages_of,
    bodies.clear: parts.clear,
    registered.names: grouped_registered.names,
    registered.resolve: grouped_registered.resolve,
    repair.compare: grouped_repair.compare,
    repair.mark: grouped_repair.mark,
    outbox.take_messages: grouped_outbox.take_messages,
    outbox.take_views: grouped_outbox.take_views,
    outbox.settle: grouped_outbox.settle,
    outbox.doubt: grouped_outbox.doubt,
    outbox.first_and_highest: grouped_outbox.first_and_highest,
    outbox.oldest_new_ms: grouped_outbox.oldest_new_ms,
}
