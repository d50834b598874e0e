"""How many there are of the main things: plain counts, for who only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection


def users(connection: StoreConnection) -> int:
    """How many users there are."""
    count: int = connection.execute("SELECT count(*) FROM user").fetchone()[0]
    return count


def devices(connection: StoreConnection) -> int:
    """How many devices there are, over all users."""
    count: int = connection.execute("SELECT count(*) FROM device").fetchone()[0]
    return count


def live_messages(connection: StoreConnection) -> int:
    """How many messages are live, over all users."""
    count: int = connection.execute("SELECT coalesce(sum(live), 0) FROM user").fetchone()[0]
    return count
