"""How much waits for the broker: plain counts, for who only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.contract.publication import Kind

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection


FIRST = ", ".join(f"'{kind}'" for kind in Kind if not kind.is_view)
"""The kinds that go before the views, written as in the partial indexes that serve them."""
NEW_TOPICS = (
    "SELECT coalesce(sum((waits & 1) + (waits >> 1 & 1)), 0) FROM message INDEXED BY message_waits WHERE waits <> 0"
)
_WAITING_MESSAGES = f"SELECT count(*) FROM outbox WHERE kind IN ({FIRST})"  # noqa: S608 - ours


def waiting(connection: StoreConnection) -> int:
    """How many topics wait."""
    count: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return count + _new_waiting(connection)


def waiting_of(connection: StoreConnection, user_id: int) -> int:
    """How many topics of one user wait, also of one who is gone."""
    count: int = connection.execute("SELECT count(*) FROM outbox WHERE user_id = ?", (user_id,)).fetchone()[0]
    new: int = connection.execute(f"{NEW_TOPICS} AND user_id = ?", (user_id,)).fetchone()[0]
    return count + new


def waiting_messages(connection: StoreConnection) -> int:
    """How many topics wait that go before the views."""
    count: int = connection.execute(_WAITING_MESSAGES).fetchone()[0]
    return count + _new_waiting(connection)


def _new_waiting(connection: StoreConnection) -> int:
    count: int = connection.execute(NEW_TOPICS).fetchone()[0]
    return count
