"""How much there is of everything, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.store import live, notifications, outbox, people, subscriptions

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class Counts:
    """Users, their devices, messages in live sets, and rows of the outbox: messages with events, and views.

    `rung` are devices that are rung by push, `pushes_waiting` for how many messages, the oldest since `push_oldest_ms`.
    """

    users: int
    devices: int
    live: int
    messages_waiting: int
    views_waiting: int
    rung: int
    pushes_waiting: int
    push_oldest_ms: int | None


def count(connection: sqlite3.Connection) -> Counts:
    """All counts at one moment."""
    messages = outbox.waiting_messages(connection)
    backlog = notifications.backlog(connection)
    return Counts(
        users=people.count_users(connection),
        devices=people.count_devices(connection),
        live=live.count_all(connection),
        messages_waiting=messages,
        views_waiting=outbox.waiting(connection) - messages,
        rung=subscriptions.count(connection),
        pushes_waiting=backlog.waiting,
        push_oldest_ms=backlog.oldest_ms,
    )
