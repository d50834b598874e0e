"""Bodies that are read wait for mail that comes in, and for nothing else."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgpack

from bridge.directory import User
from bridge.kept import StoredBody
from bridge.requests.courtesy import BURST, EACH_S, OWED_S, PAUSE_S, Courtesy
from bridge.requests.requests import AT_ONCE, OF_ONE_USER, Requests
from bridge.tally import Tally
from tests.support.rung import RingsNobody

RAW = bytes(range(250))


def test_it_waits_for_mail_that_came_meanwhile_and_for_nothing_else():
    async def ask():
        accepted, waits = [5], []

        async def sleep(seconds):
            waits.append(seconds)

        courtesy = Courtesy(lambda: accepted[0], sleep=sleep)

        async def waited(chunks):
            waits.clear()
            for _ in range(chunks):
                await courtesy.yield_to_mail()
            return waits

        with courtesy.reading():
            assert await waited(BURST) == []
            accepted[0] += 1
            assert await waited(BURST - 1) == []
            assert await waited(1) == [EACH_S]
            assert await waited(3 * BURST) == []
            accepted[0] += 1000  # at once
            assert await waited(3 * BURST) == [PAUSE_S, OWED_S - PAUSE_S]
            assert await waited(BURST) == []
        accepted[0] += 1000  # while nothing is read
        with courtesy.reading(), courtesy.reading():
            assert await waited(BURST) == []

    asyncio.run(ask())


def test_all_who_read_wait_in_line():
    async def ask():
        accepted, done = [100], []
        begun, over = asyncio.Queue(), asyncio.Queue()

        async def sleep(seconds):
            begun.put_nowait(seconds)
            accepted[0] += 100
            await over.get()

        courtesy = Courtesy(lambda: accepted[0], sleep=sleep)

        async def read(number):
            await courtesy.yield_to_mail()
            done.append(number)

        readers = [asyncio.ensure_future(read(number)) for number in range(3 * BURST)]
        for number in (1, 2, 3):
            assert await begun.get() == PAUSE_S
            assert len(done) == number * BURST - 1
            over.put_nowait(None)
        await asyncio.gather(*readers)
        assert done == list(range(3 * BURST))

    asyncio.run(ask())


def test_a_body_waits_between_its_chunks_and_a_short_answer_never(monkeypatch):
    tally, came = Tally(), []

    class Store:
        async def body(self, user_id, number):
            del user_id, number
            return StoredBody(len(RAW), RAW, None)

    async def reply(path, payload):
        del path
        tally.accepted["smtp"] += 1
        came.append(msgpack.unpackb(payload)[5])

    async def load(stored):
        return stored.raw

    async def named(name):
        return User(1, name)

    async def ask(chunk):
        answering = Requests(
            store=cast("Any", Store()),
            pushing=RingsNobody(),
            named=named,
            load=load,
            reply=reply,
            root="mail",
            chunk=chunk,
            rate=10,
            monotonic=lambda: 0.0,
            tally=tally,
        )
        await answering.handle("mail/alice/do/phone", msgpack.packb([1, 7, "raw", "00t64ks8n"]))

    waits = []
    yields = Courtesy.yield_to_mail

    async def counted(courtesy):
        waits.append(len(came))
        await yields(courtesy)

    monkeypatch.setattr(Courtesy, "yield_to_mail", counted)
    asyncio.run(ask(100))
    assert b"".join(came) == RAW
    assert waits == [1, 2]
    asyncio.run(ask(1000))
    assert waits == [1, 2]


class Marked:
    """A store of one mail that can be read and marked, and by whom it was."""

    def __init__(self):
        self.by = []

    async def body(self, user_id, number):
        del user_id, number
        return StoredBody(len(RAW), RAW, None)

    async def set_seen(self, user_id, numbers, *, seen, by):
        del user_id, numbers, seen
        self.by.append(by)


def test_who_marks_a_mail_does_not_wait_for_those_who_read(monkeypatch):
    """However many bodies are read, and however long they wait for mail."""
    marked = Marked()

    async def reply(path, payload):
        del path, payload

    async def load(stored):
        return stored.raw

    async def named(name):
        return User(ord(name[0]), name)

    async def story():
        reading, waits = asyncio.Event(), []

        async def for_ever(courtesy):
            del courtesy
            waits.append(asyncio.current_task())
            if len(waits) == AT_ONCE:
                reading.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(Courtesy, "yield_to_mail", for_ever)
        answering = Requests(
            store=cast("Any", marked),
            pushing=RingsNobody(),
            named=named,
            load=load,
            reply=reply,
            root="mail",
            chunk=100,
            rate=100,
            monotonic=lambda: 0.0,
        )
        asks = [msgpack.packb([1, n, "raw", "00t64ks8n"]) for n in range(2 * AT_ONCE)]
        readers = [
            asyncio.create_task(answering.handle(f"mail/{user}/do/desk", ask))
            for user in ("alice", "bob")
            for ask in asks
        ]
        async with asyncio.timeout(60):
            await reading.wait()
            await answering.handle("mail/alice/do/phone", msgpack.packb([1, 99, "seen", "00t64ks8n"]))
        assert marked.by == ["phone"]
        assert len(waits) == AT_ONCE, "and no more are read at a time"
        assert len(set(waits) & set(readers[: len(asks)])) == OF_ONE_USER, "of which half may be one user's"
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    asyncio.run(story())
