"""The pump between a real store and a scripted broker: window, order, coalescing, rows that leave on PUBACK only."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bridge.errors import LinkDownError, PublishRefusedError, StoreUnavailableError
from bridge.publish import outbox as module
from bridge.publish import refusals
from bridge.publish.outbox import VIEWS_AT_LEAST, Outbox
from bridge.store import marks, offline, people
from tests.support.stored import Clock, add_user, header, mail, storing, to

VIEWS = {"box", "last", "text", "unread"}


@pytest.fixture
def path(place):
    return place


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    """The same waits, a tenth as long."""
    for name in ("VIEW_INTERVAL_S", "VIEW_PATIENCE_S", "RETRY_S"):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)


async def eventually(holds, what="a condition"):
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the pump tells nobody
            await asyncio.sleep(0.002)
    assert holds(), what


@dataclass
class Sent:
    """One publish that waits for its PUBACK."""

    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None
    future: asyncio.Future = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def what(self):
        return self.topic.split("/")[2]


class Broker:
    """A broker that acknowledges when it is told to, or at once."""

    def __init__(self, *, at_once=True):
        self.at_once = at_once
        self.sent = []

    def post(self, topic, payload, *, retain, expiry_s, landed):
        sent = Sent(topic, payload, retain, expiry_s)
        sent.future.add_done_callback(lambda done: landed(done.exception()))
        self.sent.append(sent)
        if self.at_once:
            sent.future.set_result(None)

    @property
    def open(self):
        return [sent for sent in self.sent if not sent.future.done()]

    def acknowledge(self, *some):
        for sent in some or self.open:
            if not sent.future.done():
                sent.future.set_result(None)

    def die(self):
        for sent in self.open:
            sent.future.set_exception(LinkDownError("cut"))

    def of(self, what):
        return [sent for sent in self.sent if sent.what == what]

    @property
    def retained(self):
        return {sent.topic: sent.payload for sent in self.sent if sent.retain}


class Pump:
    """A store, its outbox, and the task that runs it."""

    def __init__(self, store, outbox, clock):
        self.store, self.outbox, self.clock = store, outbox, clock

    @asynccontextmanager
    async def connected(self, broker):
        """The pump at work on a connection."""
        task = asyncio.create_task(self.outbox.run(broker))
        try:
            yield broker
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def drained(self):
        async with asyncio.timeout(30):
            await self.outbox.drained.wait()
        assert await self.store.waiting() == 0

    async def waits_for_no_message(self):
        async with asyncio.timeout(30):
            while await self.store.waiting_messages():  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)

    async def keep(self, user_id, user="alice", subject="s"):
        [kept] = await self.store.keep(mail(to(user_id, user)), header(subject), message_id="")
        return kept


def pumping(path, story, *, window=64, count=1000, clock=None):
    """Run a story with a pump."""
    clock = clock or Clock()

    async def run():
        waker = []

        def changed(news):
            for committed in waker:
                committed(news)

        async with storing(path, clock=clock, count=count, changed=changed) as store:
            outbox = Outbox(rows=store, root="mail", window=window, monotonic=asyncio.get_running_loop().time)
            waker.append(outbox.committed)
            await story(Pump(store, outbox, clock))

    asyncio.run(run())


# --- when rows leave ------------------------------------------------------------------------------


def test_a_row_leaves_when_it_is_acknowledged_and_not_before(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as broker:
            await eventually(lambda: len(broker.sent) == 2 + 4, "header, event and views")
            assert await pump.store.waiting() == 6
            [published] = broker.of("msg")
            assert (published.topic, published.retain) == (f"mail/alice/msg/{kept.mail_id}", True)
            assert not broker.of("event")[0].retain
            broker.acknowledge(published)
            await asyncio.sleep(0.05)
            assert await pump.store.waiting() == 5
            broker.acknowledge()
            await pump.drained()

    pumping(path, story)


def test_what_is_gone_before_it_is_acknowledged_is_cleared_behind_it(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            broker.at_once = False
            kept = await pump.keep(alice)
            await eventually(lambda: broker.of("msg") and broker.of("event"), "what is new")
            await pump.store.write(people.remove_user, "alice")
            broker.at_once = True
            broker.acknowledge()
            await pump.drained()
        assert broker.of("msg")[-1].topic.endswith(kept.mail_id)
        assert broker.of("msg")[-1].payload == b""

    pumping(path, story)


def test_what_was_not_acknowledged_is_published_again_on_the_next_connection(path):
    alice = add_user(path, "alice")

    async def story(pump):
        await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as first:
            await eventually(lambda: len(first.sent) == 6)
            first.die()
        async with pump.connected(Broker()) as second:
            await pump.drained()
        assert second.retained == first.retained

    pumping(path, story)


def test_an_acknowledgement_that_comes_after_its_connection_settles_nothing(path):
    alice = add_user(path, "alice")

    async def story(pump):
        await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as first:
            await eventually(lambda: len(first.sent) == 6)
        async with pump.connected(Broker(at_once=False)) as second:
            await eventually(lambda: len(second.sent) == 6)
            first.acknowledge()
            await asyncio.sleep(0.05)
            assert await pump.store.waiting() == 6
            second.acknowledge()
            await pump.drained()

    pumping(path, story)


def test_a_store_that_cannot_settle_is_asked_again(path):
    alice = add_user(path, "alice")

    async def story(pump):
        await pump.keep(alice)
        settle, failures = pump.store.settle, [StoreUnavailableError("disk full")]

        async def failing(publications):
            if failures:
                raise failures.pop()
            await settle(publications)

        pump.store.settle = failing
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        assert len(broker.of("msg")) == 1, "it was acknowledged, so it is not sent again"

    pumping(path, story)


# --- window and order -----------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 8, 64])
def test_no_more_than_a_window_is_in_flight(path, window):
    alice = add_user(path, "alice")

    async def story(pump):
        await asyncio.gather(*(pump.keep(alice) for _ in range(100)))
        most = 0
        async with pump.connected(Broker(at_once=False)) as broker:
            while not pump.outbox.drained.is_set():
                await asyncio.sleep(0.001)
                in_flight = [sent for sent in broker.open if sent.what in {"msg", "event"}]
                most = max(most, len(in_flight))
                assert len(broker.open) <= window + VIEWS_AT_LEAST
                broker.acknowledge(*broker.open[:3])
        assert most == min(window, 200)
        assert len(broker.of("msg")) == len(broker.of("event")) == 100

    pumping(path, story, window=window)


def test_what_waits_to_be_settled_makes_room_for_a_window_more_and_for_no_other(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            broker.at_once, settle, gate = False, pump.store.settle, asyncio.Event()

            async def held(publications):
                await gate.wait()
                await settle(publications)

            def sent():
                return [each for each in broker.sent if each.what in {"msg", "event"}]

            pump.store.settle = held
            await asyncio.gather(*(pump.keep(alice) for _ in range(20)))
            await eventually(lambda: len(sent()) == 8, "a window")
            broker.acknowledge()
            await eventually(lambda: len(sent()) > 8, "more, though nothing of that is settled")
            broker.acknowledge()
            for _ in range(100):
                await asyncio.sleep(0)
                broker.acknowledge()
            assert len(sent()) <= 16, "more than a process that dies would leave in doubt"
            gate.set()
            broker.at_once = True
            broker.acknowledge()
            await pump.drained()
        assert len(broker.of("msg")) == len(broker.of("event")) == 20

    pumping(path, story, window=8)


def test_messages_go_out_in_the_order_they_came_in(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = [await pump.keep(alice) for _ in range(30)]
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        assert [sent.topic for sent in broker.of("msg")] == [f"mail/alice/msg/{copy.mail_id}" for copy in kept]

    pumping(path, story, window=4)


def test_a_topic_is_never_in_flight_twice(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as broker:
            await eventually(lambda: broker.of("msg"))
            await pump.store.set_seen(alice, [kept.number], seen=True)
            await asyncio.sleep(0.05)
            assert len(broker.of("msg")) == 1, "the tombstone waits for the header's PUBACK"
            broker.acknowledge()
            await eventually(lambda: len(broker.of("msg")) == 2)
            assert broker.of("msg")[1].payload == b""
            broker.at_once = True
            broker.acknowledge()
            await pump.drained()
        assert broker.retained[f"mail/alice/msg/{kept.mail_id}"] == b""

    pumping(path, story)


# --- from commit to broker ------------------------------------------------------------------------


def reads_of(store):
    """Which reads of messages the pump asks of a store."""
    asked, take = [], store.take_messages

    async def noted(**bounds):
        asked.append(bounds)
        return await take(**bounds)

    store.take_messages = noted
    return asked


def test_what_was_committed_a_moment_ago_is_not_read_back(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            asked = reads_of(pump.store)
            kept = [await pump.keep(alice) for _ in range(20)]
            assert [sent.topic for sent in broker.of("msg")] == [f"mail/alice/msg/{each.mail_id}" for each in kept]
            await pump.drained()
            assert len(broker.of("event")) == 20
        assert asked == []

    pumping(path, story)


def test_more_than_memory_is_to_hold_is_read_from_the_store_in_its_order(path, monkeypatch):
    monkeypatch.setattr(module, "READY_AT_MOST", 10)
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            broker.at_once, asked = False, reads_of(pump.store)
            kept = [await pump.keep(alice) for _ in range(30)]
            broker.at_once = True
            broker.acknowledge()
            kept += [await pump.keep(alice) for _ in range(10)]
            await pump.drained()
        assert [sent.topic for sent in broker.of("msg")] == [f"mail/alice/msg/{each.mail_id}" for each in kept]
        assert asked

    pumping(path, story, window=8)


def test_what_is_seen_while_it_waits_for_the_window_is_never_published(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            broker.at_once = False
            first, second = await pump.keep(alice), await pump.keep(alice)
            await pump.store.set_seen(alice, [second.number], seen=True)
            broker.at_once = True
            broker.acknowledge()
            await pump.drained()
        assert [sent.topic for sent in broker.of("msg")] == [f"mail/alice/msg/{first.mail_id}"]
        assert len(broker.of("event")) == 1

    pumping(path, story, window=2)


def test_what_is_read_before_its_hand_over_has_come_is_sent_once(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            take = pump.store.take_messages

            async def late(**bounds):
                kept = await pump.store.keep(mail(to(alice, "alice")), header(), message_id="")
                found = await take(**bounds)
                return found if kept else []

            pump.store.take_messages = late
            pump.outbox.wake()
            await eventually(lambda: broker.of("event"))
            pump.store.take_messages = take
            await pump.drained()
        assert len(broker.of("msg")) == len(broker.of("event")) == 1

    pumping(path, story)


# --- states that nobody saw -----------------------------------------------------------------------


def test_a_message_seen_before_it_was_published_never_is(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        later = await pump.keep(alice)
        await pump.store.set_seen(alice, [later.number], seen=True)
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        assert not broker.of("msg")
        assert not broker.of("event")
        assert kept.mail_id.encode() in broker.retained["mail/alice/last"]

    pumping(path, story)


def test_seen_and_unseen_again_while_the_broker_was_away_is_one_header(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        for seen in (True, False, True, False):
            await pump.store.set_seen(alice, [kept.number], seen=seen)
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        assert [bool(sent.payload) for sent in broker.of("msg")] == [True]

    pumping(path, story)


def test_what_died_in_flight_and_was_seen_meanwhile_gets_its_tombstone(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as first:
            await eventually(lambda: first.of("msg"))
            first.die()
        await pump.store.set_seen(alice, [kept.number], seen=True)
        async with pump.connected(Broker()) as second:
            await pump.drained()
        assert second.retained[f"mail/alice/msg/{kept.mail_id}"] == b"", "some device may have it"

    pumping(path, story)


# --- views ----------------------------------------------------------------------------------------


def test_a_burst_costs_one_publish_a_message_and_a_handful_of_views(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await asyncio.gather(*(pump.keep(alice) for _ in range(500)))
            await pump.drained()
        assert len(broker.of("msg")) == len(broker.of("event")) == 500
        views = [sent for sent in broker.sent if sent.what in VIEWS]
        assert len(views) <= 4 * 6
        assert broker.retained["mail/alice/unread"] == b"500"

    pumping(path, story, window=256)


def test_the_first_mail_after_a_pause_has_its_views_at_once(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            module.VIEW_INTERVAL_S = 3600
            await pump.keep(alice, subject="now")
            await eventually(lambda: b"now" in broker.retained.get("mail/alice/text", b""))

    pumping(path, story)


def test_a_view_that_is_off_is_cleared_once_and_not_at_each_mail(path):
    alice = add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.keep(alice)
            await pump.drained()
            with offline.transaction(path, now_ms=pump.clock.now_ms, count=1000, days=7) as transaction:
                for view in ("last", "unread"):
                    people.set_view(transaction, "alice", view, on=False)
            pump.outbox.wake()
            await pump.drained()
            assert broker.retained["mail/alice/last"] == broker.retained["mail/alice/unread"] == b""
            broker.sent.clear()
            await pump.keep(alice, subject="silence")
            await pump.drained()
        assert {sent.what for sent in broker.sent} == {"msg", "event", "box", "text"}

    pumping(path, story)


def test_a_view_is_published_at_most_once_an_interval_and_ends_on_the_newest(path):
    alice = add_user(path, "alice")

    async def story(pump):
        begun = asyncio.get_running_loop().time()
        async with pump.connected(Broker()) as broker:
            for number in range(20):
                await pump.keep(alice, subject=f"number {number}")
            await pump.drained()
        took_s = asyncio.get_running_loop().time() - begun
        assert len(broker.of("text")) <= 3 + took_s / module.VIEW_INTERVAL_S
        assert b"number 19" in broker.retained["mail/alice/text"]

    pumping(path, story)


def test_views_get_their_turn_under_a_load_that_never_lets_up(path):
    alice = add_user(path, "alice")
    seconds = [0.0]

    async def story(pump):
        pump.outbox._monotonic, pump.outbox._views_at = lambda: seconds[0], 0.0
        await asyncio.gather(*(pump.keep(alice) for _ in range(200)))
        async with pump.connected(Broker(at_once=False)) as broker:
            await eventually(lambda: len(broker.open) == 8)
            assert not broker.of("box")
            seconds[0] = module.VIEW_PATIENCE_S + 0.1
            broker.acknowledge()
            await eventually(lambda: broker.of("box"))
            assert len(broker.of("msg")) < 200

    pumping(path, story, window=8)


def test_a_user_without_mail_has_an_empty_box_and_no_last(path):
    add_user(path, "alice")

    async def story(pump):
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        assert broker.retained == {
            "mail/alice/box": b"\x91\x01",
            "mail/alice/unread": b"0",
            "mail/alice/last": b"",
            "mail/alice/text": b"",
        }

    pumping(path, story)


# --- a broker that was away -----------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted meanwhile"])
def test_after_a_day_away_ten_thousand_mails_cost_as_many_headers_as_the_ring_holds(path, restarted):
    """A new process cannot know what the last one had in flight: it sends tombstones for two windows at most."""
    alice, clock, window = add_user(path, "alice"), Clock(), 256

    async def story(pump):
        if not restarted:
            async with pump.connected(Broker()):
                await pump.drained()
        for _ in range(10):
            await asyncio.gather(*(pump.keep(alice) for _ in range(1000)))
        clock.pass_(86_400)
        assert await pump.store.waiting() > 2_000, "what more came at once than is live never waited"
        async with pump.connected(Broker()) as broker:
            await pump.drained()
        assert sum(bool(sent.payload) for sent in broker.of("msg")) == 100
        assert sum(not sent.payload for sent in broker.of("msg")) <= (2 * window if restarted else 0)
        assert not broker.of("event"), "old news"
        assert len(broker.sent) - len(broker.of("msg")) <= 2 * 4
        assert broker.retained["mail/alice/unread"] == b"10000"

    pumping(path, story, count=100, clock=clock, window=window)


def test_an_outbox_larger_than_memory_is_read_in_pages(path):
    """100,000 topics wait; what the pump holds at any moment is bounded by its window."""
    add_user(path, "alice")
    largest = [0]

    async def story(pump):
        def strays(transaction):
            for number in range(100_000):
                marks.stray(transaction, f"x/msg/{number}")

        await pump.store._writer.submit(strays)
        take = pump.store.take_messages

        async def measured(**bounds):
            page = await take(**bounds)
            largest[0] = max(largest[0], len(page))
            return page

        pump.store.take_messages = measured
        async with pump.connected(Broker()) as broker:
            await eventually(lambda: len(broker.sent) > 5000)
        assert 0 < largest[0] <= 4 * 256
        assert len(pump.outbox._flying) <= 256 + VIEWS_AT_LEAST
        assert 90_000 < await pump.store.waiting() < 96_000

    pumping(path, story, window=256)


def test_a_witness_hears_of_everything_acknowledged(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as broker:
            with pump.outbox.witness() as first, pump.outbox.witness() as second:
                await eventually(lambda: len(broker.sent) == 6)
                assert not first
                broker.acknowledge()
                await pump.drained()
            later = await pump.keep(alice)
            await eventually(lambda: len(broker.of("event")) == 2)
            broker.acknowledge()
            await pump.waits_for_no_message()
        assert later.mail_id not in str(first), "nothing from behind the block"
        assert first == second >= {f"alice/msg/{kept.mail_id}", "alice/box"}

    pumping(path, story)


# --- a broker that says no ------------------------------------------------------------------------


def refuse(sent, reason="Quota exceeded"):
    sent.future.set_exception(PublishRefusedError(reason))


def test_what_is_refused_stays_and_what_stands_behind_it_goes_on(path, monkeypatch):
    monkeypatch.setattr(refusals, "FIRST_S", 0.02)
    alice = add_user(path, "alice")

    async def story(pump):
        first = await pump.keep(alice, subject="first")
        async with pump.connected(Broker(at_once=False)) as broker:
            await eventually(lambda: broker.of("msg"))
            [header] = broker.of("msg")
            with capture_logs() as logs:
                refuse(header)
                await eventually(lambda: len(broker.of("msg")) == 2)
            [told] = [each for each in logs if each["event"] == "publish_refused"]
            assert (told["id"], told["user"], told["kind"], told["reason"]) == (
                first.mail_id,
                "alice",
                "msg",
                "Quota exceeded",
            )
            second = await pump.keep(alice, subject="second")
            await eventually(lambda: any(second.mail_id in sent.topic for sent in broker.sent))
            broker.at_once = True
            broker.acknowledge()
            await pump.drained()
        assert {topic for topic in broker.retained if "/msg/" in topic} == {
            f"mail/alice/msg/{kept.mail_id}" for kept in (first, second)
        }

    pumping(path, story)


def test_another_connection_offers_at_once_what_was_refused(path):
    alice = add_user(path, "alice")

    async def story(pump):
        await pump.keep(alice)
        async with pump.connected(Broker(at_once=False)) as broker:
            await eventually(lambda: broker.of("msg") and broker.of("event"))
            for sent in broker.open:
                refuse(sent)
        broker.die()
        assert await pump.store.waiting() > 0
        async with pump.connected(Broker()):
            await pump.drained()

    pumping(path, story)


def test_a_broker_that_refuses_everything_is_not_pestered(path, monkeypatch):
    monkeypatch.setattr(refusals, "AT_MOST", 3)
    alice = add_user(path, "alice")

    async def story(pump):
        pump.outbox._monotonic, pump.outbox._views_at = lambda: 0.0, 0.0  # views do not get their turn
        for number in range(9):
            await pump.keep(alice, subject=str(number))
        async with pump.connected(Broker(at_once=False)) as broker:
            await eventually(lambda: broker.open)
            while broker.open:
                for sent in broker.open:
                    refuse(sent)
                await asyncio.sleep(0)
            offered = len(broker.sent)
            await pump.keep(alice, subject="one more")
            for _ in range(20):
                await pump.store.waiting()  # the pump's look stood in the same queue
            assert len(broker.sent) == offered

    pumping(path, story, window=4)


def test_a_header_says_when_it_is_to_be_forgotten_and_a_tombstone_does_not(path):
    alice = add_user(path, "alice")

    async def story(pump):
        kept = await pump.keep(alice)
        async with pump.connected(Broker()) as broker:
            await pump.drained()
            await pump.store.set_seen(alice, [kept.number], seen=True, by="phone")
            await pump.drained()
        said = {(sent.what, bool(sent.payload)): sent.expiry_s for sent in broker.sent}
        assert said["msg", True] == said["event", True] == 7 * 86_400
        assert said["msg", False] is None
        assert {said[view, True] for view in ("box", "unread")} == {None}

    pumping(path, story)
