"""How many there are of the main things: plain counts, for who only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store.portions import ALL

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection

_AMONG = "WHERE user_id > ? AND user_id <= ?"


def users(connection: StoreConnection) -> int:
    """How many users there are."""
    count: int = connection.execute("SELECT count(*) FROM user").fetchone()[0]
    return count


def devices(connection: StoreConnection, *, among: tuple[int, int] = ALL) -> int:
    """How many devices there are, of a portion of all users (`portions.py`)."""
    count: int = connection.execute(f"SELECT count(*) FROM device {_AMONG}", among).fetchone()[0]  # noqa: S608 - ours
    return count


def of_users(connection: StoreConnection, *, among: tuple[int, int] = ALL) -> tuple[int, int]:
    """How many users there are, and how many messages of theirs are live, of a portion of all users."""
    query = f"SELECT count(*), coalesce(sum(live), 0) FROM user {_AMONG}"  # noqa: S608 - ours
    found: tuple[int, int] = connection.execute(query, among).fetchone()
    return found


def live_messages(connection: StoreConnection) -> int:
    """How many messages are live, over all users."""
    count: int = connection.execute("SELECT coalesce(sum(live), 0) FROM user").fetchone()[0]
    return count
