"""How much there is of everything, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.store import amounts, backlog, notifications, portions, subscriptions

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection
    from bridge.store.portions import Lookable


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


async def count(store: Lookable) -> Counts:
    """All counts. Of very many users some are counted at a time, and others look into the store between them."""
    users = devices = live = 0
    async for among in portions.everybody(store):
        some, theirs = await store.read(amounts.of_users, among=among)
        users, live = users + some, live + theirs
        devices += await store.read(amounts.devices, among=among)
    return await store.read(_count, users, devices, live)


def _count(connection: StoreConnection, users: int, devices: int, live: int) -> Counts:
    messages = backlog.waiting_messages(connection)
    pushes = notifications.backlog(connection)
    return Counts(
        users=users,
        devices=devices,
        live=live,
        messages_waiting=messages,
        views_waiting=backlog.waiting(connection) - messages,
        rung=subscriptions.count(connection),
        pushes_waiting=pushes.waiting,
        push_oldest_ms=pushes.oldest_ms,
    )
