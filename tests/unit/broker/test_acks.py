"""Acknowledgements that one client is owed: together, in order, when they are safe, and a publisher that waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from broker import acks
from broker.acks import Acks


class Store:
    """A store whose commits come when they are told to."""

    def __init__(self):
        self.committed, self._callbacks = 0, []

    def call_on_commit(self, callback):
        self._callbacks.append(callback)

    def commit(self, ticket):
        self.committed = ticket
        callbacks, self._callbacks = self._callbacks, []
        for each in callbacks:
            each()


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(acks, "_MOST", 3)
    return Store()


def owed(store):
    """Acknowledgements of this store, and what of them was sent."""
    sent: list[bytes] = []
    anything: Any = store
    return Acks(store=anything, send=sent.append), sent


async def owe(owed, *tickets):
    for ticket in tickets:
        owed.owe(ticket, b"%d" % ticket, last=True)
        await owed.room()


def test_what_is_safe_goes_out_at_once_in_order_and_the_rest_after_the_commit(store):
    async def story():
        mine, sent = owed(store)
        await owe(mine, 1, 2)
        store.committed = 1
        mine.release()
        assert sent == [b"1"]
        store.commit(2)
        assert sent == [b"1", b"2"]

    asyncio.run(story())


async def waiting(mine):
    """A publisher that is owed as much as it may be."""
    task = asyncio.ensure_future(owe(mine, 1, 2, 3, 4))
    await asyncio.sleep(0)
    assert not task.done()
    return task


def test_who_is_owed_too_many_waits_for_the_disk(store):
    async def story():
        mine, sent = owed(store)
        task = await waiting(mine)
        mine.release()
        store.commit(2)
        await asyncio.sleep(0)
        assert not task.done(), "one of them is still not safe"
        store.commit(3)
        await task
        store.commit(4)
        mine.release()
        assert b"".join(sent) == b"1234"

    asyncio.run(story())


def test_nobody_waits_for_the_disk_once_the_connection_has_ended(store):
    async def story():
        mine, sent = owed(store)
        task = await waiting(mine)
        mine.end()
        await task
        mine.end()
        await owe(mine, 5, 6, 7)
        assert sent == []

    asyncio.run(story())


def test_a_publisher_that_is_gone_before_the_commit_is_not_woken(store):
    async def story():
        mine, sent = owed(store)
        task = await waiting(mine)
        mine.release()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        store.commit(3)
        assert sent == [b"123"]
        mine.end()

    asyncio.run(story())
