"""How much there is of everything, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.store import amounts, backlog, notifications, subscriptions

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection


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


def count(connection: StoreConnection) -> Counts:
    """All counts at one moment."""
    messages = backlog.waiting_messages(connection)
    pushes = notifications.backlog(connection)
    return Counts(
        users=amounts.users(connection),
        devices=amounts.devices(connection),
        live=amounts.live_messages(connection),
        messages_waiting=messages,
        views_waiting=backlog.waiting(connection) - messages,
        rung=subscriptions.count(connection),
        pushes_waiting=pushes.waiting,
        push_oldest_ms=pushes.oldest_ms,
    )
