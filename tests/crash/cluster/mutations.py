"""Bridges on PostgreSQL broken on purpose, each in one way that a layer of the promise stands against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def asynchronous_commit() -> None:
    """COMMIT returns before anything is on disk."""
    from bridge.store.postgres import PostgresEngine

    begin = PostgresEngine.begin

    def hasty(self: Any, connection: Any) -> None:
        begin(self, connection)
        connection.execute("SET LOCAL synchronous_commit = off")

    PostgresEngine.begin = hasty


def no_word() -> None:
    """No bridge tells another one that something waits: it has to look."""
    from bridge.store.postgres import PostgresEngine

    PostgresEngine.announce = lambda *_: None


CLUSTER_MUTATIONS: dict[str, Callable[[], None]] = {
    "asynchronous_commit": asynchronous_commit,
    "no_word": no_word,
}
