"""What Home Assistant is told, on connections that refuse, end, or hold what is not wanted any more."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from bridge.contract import discovery
from bridge.errors import LinkDownError, PublishRefusedError, RefusedError, StoreUnavailableError
from bridge.publish import announcing
from bridge.publish.announcing import Announcing
from tests.support.waiting import until_on_loop

HOME = "homeassistant"
ALICE, BOB = (discovery.topic(HOME, "mail", user) for user in ("alice", "bob"))


class Connection:
    """Notes what is published, and takes nothing of what it is told to refuse."""

    def __init__(self, *, refuses=None, subscription=None, holds=()):
        self.closed = asyncio.get_running_loop().create_future()
        self.published = []
        self.asked = 0
        self._refuses, self._subscription, self._holds = refuses, subscription, holds

    @contextmanager
    def retained(self, callback):
        self._callback = callback
        yield

    async def subscribe(self, _filters, *, qos):
        self.asked += 1
        assert qos == 0
        if self._subscription is not None:
            raise self._subscription
        for topic, payload in self._holds:
            self._callback(topic, payload)

    async def publish(self, topic, payload, *, retain):
        assert retain
        if self._refuses is not None:
            raise self._refuses
        self.published.append((topic, bool(payload)))


def wanted(users, *, monotonic=lambda: 0.0):
    async def read():
        return list(users)

    return Announcing(prefix=HOME, root="mail", node="main", version="1", users=read, monotonic=monotonic)


@contextmanager
def kept(announcer, connection):
    task = asyncio.ensure_future(announcer.keep(connection))
    try:
        yield task
    finally:
        task.cancel()


def payload_of(user, node="main"):
    return discovery.payload(root="mail", user=user, node=node, version="0")


def test_what_is_found_of_ours_and_not_wanted_goes_and_all_else_stays():
    async def story():
        holds = [
            (BOB, payload_of("bob")),
            (ALICE.replace("alice", "carol"), payload_of("carol", node="other")),
            (f"{HOME}/device/zigbee/config", b"{}"),
            (f"{HOME}/status", b"online"),
        ]
        connection = Connection(holds=holds)
        with kept(wanted(["alice"]), connection):
            await until_on_loop(lambda: len(connection.published) == 2, what="both")
        assert sorted(connection.published) == [(ALICE, True), (BOB, False)]

    asyncio.run(story())


def test_a_refusal_is_told_once_and_mail_is_not_concerned():
    async def story():
        connection = Connection(refuses=PublishRefusedError("not authorized"), subscription=RefusedError("no"))
        with capture_logs() as said:
            announcer = wanted(["alice", "bob"])
            with kept(announcer, connection):
                await until_on_loop(lambda: len(announcer._announced) == 2, what="both to be tried")
        assert [(event["event"], event["reason"]) for event in said] == [("discovery_refused", "no")]

    asyncio.run(story())


def test_a_refusal_that_concerns_nobody_is_not_told():
    async def story():
        connection = Connection(subscription=RefusedError("no"))
        with capture_logs() as said:
            announcer = wanted([])
            with kept(announcer, connection):
                await until_on_loop(lambda: announcer._unheard, what="the refusal")
                await asyncio.sleep(0.01)
        assert said == []

    asyncio.run(story())


def test_a_broker_that_ends_the_connection_over_it_is_not_asked_again():
    async def story():
        announcer = wanted(["alice"])
        ending = Connection(subscription=LinkDownError("gone"))
        await announcer.keep(ending)
        again = Connection()
        with kept(announcer, again):
            await until_on_loop(lambda: again.published, what="the announcement")
        assert (ending.asked, again.asked) == (1, 0)

    asyncio.run(story())


@pytest.mark.parametrize("subscription", [TimeoutError()])
def test_a_broker_without_an_answer_is_asked_again(subscription):
    async def story():
        announcer = wanted(["alice"])
        for _ in range(2):
            connection = Connection(subscription=subscription)
            with kept(announcer, connection):
                await until_on_loop(lambda: connection.published, what="the announcement")  # noqa: B023 - awaited here
            assert connection.asked == 1

    asyncio.run(story())


def test_home_assistant_that_starts_again_and_again_is_told_at_a_pace():
    async def story():
        now, connection = [100.0], Connection()
        announcer = wanted(["alice"], monotonic=lambda: now[0])
        with kept(announcer, connection):
            await until_on_loop(lambda: len(connection.published) == 1, what="the announcement")
            announcer.heard(f"{HOME}/status", b"offline")
            announcer.heard(ALICE, b"online")
            announcer.heard(f"{HOME}/status", b"online")
            await until_on_loop(lambda: len(connection.published) == 2, what="it anew")
            now[0] += announcing.BIRTHS_S - 0.01
            announcer.heard(f"{HOME}/status", b"online")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(connection.published) == 2
            now[0] += 0.02
            await until_on_loop(lambda: len(connection.published) == 3, what="it at last")

    asyncio.run(story())


def test_a_store_that_cannot_be_read_is_read_later(monkeypatch):
    monkeypatch.setattr(announcing, "RETRY_S", 0.01)

    async def story():
        tries, connection = [], Connection()

        async def read():
            tries.append(None)
            if len(tries) == 1:
                raise StoreUnavailableError("locked")
            return ["alice"]

        announcer = Announcing(prefix=HOME, root="mail", node="main", version="1", users=read, monotonic=lambda: 0.0)
        with kept(announcer, connection):
            await until_on_loop(lambda: connection.published == [(ALICE, True)], what="the announcement")

    asyncio.run(story())
