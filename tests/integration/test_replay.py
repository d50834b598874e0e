"""Looking at a broker bit by bit: bounded, paced, again when it went wrong. A real store, a broker of a few lines."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from bridge.contract import ids, topics
from bridge.errors import LinkDownError, RefusedError, StoreUnavailableError
from bridge.publish import replay
from bridge.publish.replay import TOPICS_AT_ONCE, WAITING_AT_MOST, Replay
from tests.support.stored import Clock, add_user, header, mail, storing

COUNT = 100


class Broker:
    """A connection to a broker that holds topics and does at once what it is told, or fails with `trouble`."""

    def __init__(self):
        self.holds, self.trouble, self.filters = {}, [], set()
        self.closed = asyncio.get_running_loop().create_future()
        self.callbacks = []
        self.replay = None
        self.largest = 0

    async def subscribe(self, filters, **_):
        if self.trouble:
            raise self.trouble.pop(0)
        self.filters |= set(filters)
        told = [topic for topic in self.holds if any(matches(each, topic) for each in filters)]
        self.largest = max(self.largest, len(told))
        for topic in told:
            self.tell(topic)

    def tell(self, topic):
        for callback in self.callbacks:
            callback(topic, self.holds[topic])

    @contextmanager
    def retained(self, callback):
        self.callbacks.append(callback)
        try:
            yield
        finally:
            self.callbacks.remove(callback)

    async def unsubscribe(self, filters):
        self.filters -= set(filters)

    async def publish(self, topic, payload, **_):
        assert topic == self.replay.marker_topic
        self.replay.marker_received(payload)


def matches(topic_filter, topic):
    pairs = itertools.zip_longest(topic_filter.split("/"), topic.split("/"))
    return all(wanted in {"+", level} for wanted, level in pairs)


def looking(path, story, *, users=(), count=COUNT):
    """Run a story with a store of these users, a broker, and what looks at it."""
    for name in users:
        add_user(path, name)

    async def run():
        clock = Clock()
        async with storing(path, clock=clock) as store:
            broker, tokens = Broker(), itertools.count()
            broker.replay = Replay(
                store=store,
                outbox=SimpleNamespace(witness=lambda: nullcontext(set())),
                root="mail",
                node="one",
                count=count,
                days=7,
                now_ms=clock.wall,
                new_token=lambda: str(next(tokens)),
            )
            await asyncio.wait_for(story(store, broker, broker.replay), 60)

    asyncio.run(run())


async def publish_all(store, broker):
    """What the outbox does, without its pace."""
    while taken := [*await store.take_messages(limit=500, busy=()), *await store.take_views(limit=500, busy=())]:
        for each in taken:
            if each.payload and each.retain:
                broker.holds[f"mail/{each.topic}"] = each.payload
            elif each.retain:
                broker.holds.pop(f"mail/{each.topic}", None)
        await store.settle(taken)


async def fill(store, mails=1):
    everybody = await store.directory.everybody()
    for number in range(mails):
        await store.keep(mail(*everybody, text=str(number)), header(f"number {number}"), message_id="")


USERS = [f"user{number}" for number in range(40)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "postbell.db"


def test_a_replay_and_a_comparison_never_hold_more_than_some_users_topics(path):
    async def story(store, broker, looker):
        await fill(store, mails=30)
        await publish_all(store, broker)
        assert len(broker.holds) == 40 * 34
        for topic in [topic for topic in broker.holds if "/user7/" in topic]:
            broker.holds[topic.replace("user7", "nobody")] = broker.holds.pop(topic)
        seen, repair = [], store.repair

        async def watched(observed, *, dry_run):
            seen.append(len(observed.retained))
            return await repair(observed, dry_run=dry_run)

        store.repair = watched
        found = await looker.run(broker, dry_run=True)
        assert (found.held, found.missing, found.different, found.stale) == (40 * 34, 34, 0, 34)
        assert len(seen) > 2
        assert max(seen) <= TOPICS_AT_ONCE
        assert broker.largest <= TOPICS_AT_ONCE
        assert broker.filters == {looker.marker_topic}, "nothing of the replay stays subscribed"

    looking(path, story, users=USERS)


def test_an_empty_broker_is_filled_bit_by_bit_so_that_live_mail_does_not_wait_behind_all_of_it(path):
    async def story(store, broker, looker):
        await fill(store, mails=30)
        await publish_all(store, broker)
        broker.holds.clear()
        most = 0

        async def pump():
            nonlocal most
            while True:
                most = max(most, await store.waiting())
                await publish_all(store, broker)
                await asyncio.sleep(0.01)

        pumping = asyncio.create_task(pump())
        found = await looker.run(broker)
        pumping.cancel()
        await publish_all(store, broker)
        assert found.missing == 40 * 34
        assert len(broker.holds) == 40 * 34
        assert 0 < most <= TOPICS_AT_ONCE + WAITING_AT_MOST < found.missing

    looking(path, story, users=USERS)


def test_an_outbox_that_never_empties_holds_up_no_look_for_ever(path, monkeypatch):
    monkeypatch.setattr(replay, "PACES_AT_MOST", 2)

    async def story(store, broker, looker):
        await fill(store, mails=30)
        await publish_all(store, broker)
        broker.holds.clear()
        assert (await looker.run(broker)).missing == 40 * 34

    looking(path, story, users=USERS)


def test_filling_ends_with_its_connection(path):
    async def story(store, broker, looker):
        await fill(store, mails=30)
        await publish_all(store, broker)
        broker.holds.clear()
        looked = asyncio.create_task(looker.run(broker))
        while not await store.waiting():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
        broker.closed.set_result("cut")
        with pytest.raises(LinkDownError):
            await looked
        assert not looker._one_at_a_time.locked()

    looking(path, story, users=USERS)


def test_what_waits_already_is_not_marked_once_more_unless_the_broker_holds_something_else(path):
    async def story(store, broker, looker):
        await fill(store)
        [kept] = await store.take_messages(limit=1, busy=())
        found = await looker.run(broker)
        assert found.missing == 1, "the text alone: it may be thought to be there"
        [again] = await store.take_messages(limit=1, busy=())
        assert again.generation == kept.generation
        broker.holds[f"mail/{topics.message('alice', ids.encode(kept.number))}"] = b"an old one"
        found = await looker.run(broker)
        assert found.different == 1
        [again] = await store.take_messages(limit=1, busy=())
        assert again.generation == kept.generation + 1

    looking(path, story, users=["alice"])


def test_a_topic_that_comes_late_is_not_taken_for_a_strangers(path):
    async def story(store, broker, looker):
        await fill(store)
        await publish_all(store, broker)
        late = next(iter(broker.holds))
        subscribe = broker.subscribe

        async def with_something_late(filters, *, qos):
            broker.tell(late)
            await subscribe(filters, qos=qos)

        broker.subscribe = with_something_late
        assert (await looker.run(broker, dry_run=True)).marked == 0

    looking(path, story, users=USERS)


@pytest.mark.parametrize("trouble", [TimeoutError(), RefusedError("no"), StoreUnavailableError("full")], ids=type)
def test_a_look_that_failed_is_taken_again_and_one_that_did_not_after_a_while(path, monkeypatch, trouble):
    for name in ("TRY_AGAIN_S", "STORE_RETRY_S", "LOOK_AGAIN_S"):
        monkeypatch.setattr(replay, name, 0.01)

    async def story(store, broker, looker):
        await fill(store)
        await publish_all(store, broker)
        broker.holds.clear()
        broker.trouble.append(trouble)
        looks, run = [], looker.run

        async def counted(connection):
            found = await run(connection)
            looks.append(found.missing)
            if len(looks) == 2:
                broker.closed.set_result("cut")
                broker.trouble.append(LinkDownError("cut"))
            else:
                await publish_all(store, broker)
            return found

        looker.run = counted
        await looker.keep(broker)
        assert looks == [5, 0]

    looking(path, story, users=["alice"])
