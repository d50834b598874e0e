"""Bodies that are read wait for mail that comes in, and for nothing else."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgpack

from bridge.directory import Directory, User
from bridge.kept import StoredBody
from bridge.requests.courtesy import BURST, PAUSE_S, RECENT_S, Courtesy
from bridge.requests.requests import Requests
from bridge.tally import Tally
from tests.support.rung import RingsNobody

RAW = bytes(range(250))


def test_it_waits_while_mail_comes_and_for_no_longer():
    async def ask():
        accepted, now, waits = [5], [100.0], []

        async def sleep(seconds):
            waits.append(seconds)

        courtesy = Courtesy(lambda: accepted[0], monotonic=lambda: now[0], sleep=sleep)

        async def send(chunks):
            for _ in range(chunks):
                await courtesy.yield_to_mail()

        await send(BURST)
        assert not waits
        accepted[0] = 15  # many at once
        await send(3 * BURST - 1)
        assert waits == [PAUSE_S] * 2
        await send(1)
        assert waits == [PAUSE_S] * 3
        now[0] += RECENT_S
        await send(BURST)
        assert len(waits) == 3

    asyncio.run(ask())


def test_all_who_read_wait_in_line():
    async def ask():
        accepted, done = [1], []
        begun, over = asyncio.Queue(), asyncio.Queue()

        async def sleep(seconds):
            begun.put_nowait(seconds)
            await over.get()

        courtesy = Courtesy(lambda: accepted[0], monotonic=lambda: 0.0, sleep=sleep)
        accepted[0] = 2

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

    async def ask(chunk):
        answering = Requests(
            store=cast("Any", Store()),
            pushing=RingsNobody(),
            directory=lambda: Directory.of([User(1, "alice")], []),
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
