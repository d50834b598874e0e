"""What time does: messages expire, bodies go by age and quota, the clock may step. Real store, real files."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from bridge.daemon.lifetimes import CLEAR_S, COUNT_S, LOOK_S, TRUST_CLOCK_AFTER_S, Lifetimes
from bridge.errors import StoreUnavailableError
from bridge.spool import Spool
from bridge.store.bodies import Keeping
from tests.support.stored import DAY_MS, Clock, add_user, header, mail, storing, to

ROOMY = Keeping(days=30, quota=10**9, total=10**9, headers_days=365)


@pytest.fixture
def path(place):
    return place


def living(path, story, *, clock, keeping=ROOMY, count=100, most_messages=1000):
    """Run a story with a store and its lifetimes; spool files lie beside a database that is a file."""

    async def run():
        spool = Spool(path.parent if isinstance(path, Path) else Path(tempfile.mkdtemp(prefix="postbell-test-")))
        async with storing(path, clock=clock, count=count) as store:
            lifetimes = Lifetimes(
                store=store,
                course=store.course,
                clear_spool=spool.clear,
                keeping=keeping,
                most_messages=most_messages,
                now_ms=clock.wall,
                monotonic=clock.monotonic,
            )
            await story(store, lifetimes)
        spool.close()

    asyncio.run(run())


async def keep(store, *users, size=100, spooled=None):
    [kept, *_] = await store.keep(
        mail(*(to(user_id, f"user{user_id}") for user_id in users), size=size, spooled=spooled),
        header(size=size),
        message_id="",
    )
    return kept.number


async def bodies(store):
    return await store.read(lambda c: [row[0] for row in c.execute("SELECT size FROM body ORDER BY body_id")])


async def with_body(store, user_id):
    rows = await store.read(
        lambda c: c.execute("SELECT number FROM message WHERE user_id = ? AND body_id NOTNULL", (user_id,)).fetchall()
    )
    return [row[0] for row in rows]


async def headers(store, user_id):
    return [number for number, _ in reversed(await store.recent(user_id, 1000))]


def test_a_message_leaves_the_live_set_when_it_is_too_old_and_its_header_stays(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        number = await keep(store, alice)
        clock.pass_(7 * 86_400 - LOOK_S)
        await lifetimes.look()
        assert await store.live_count() == 1
        clock.pass_(2 * LOOK_S)
        await lifetimes.look()
        assert await store.live_count() == 0
        assert await headers(store, alice) == [number]

    living(path, story, clock=clock)


def test_who_has_too_many_messages_is_full_until_old_ones_are_gone(path):
    alice, bob, clock = add_user(path, "alice"), add_user(path, "bob"), Clock()
    keeping = Keeping(days=1, quota=10**9, total=10**9, headers_days=10)

    async def story(store, lifetimes):
        for _ in range(3):
            await keep(store, alice)
        await keep(store, bob)
        await lifetimes.look()
        assert lifetimes.full == {alice: "alice"}
        await store.set_seen(alice, await headers(store, alice), seen=True)
        await store._writer.submit(lambda transaction: transaction.connection.execute("UPDATE message SET held = 0"))
        for _ in range(12):
            clock.pass_(86_400)
            await lifetimes.look()
        clock.pass_(COUNT_S)
        await lifetimes.look()
        assert lifetimes.full == {}

    living(path, story, clock=clock, keeping=keeping, most_messages=3)


def test_bodies_go_by_age_and_their_files_with_them(tmp_path):
    path = tmp_path / "postbell.db"
    alice, clock = add_user(path, "alice"), Clock()
    file = path.parent / "large.eml"
    file.write_bytes(b"x" * 5000)

    async def story(store, lifetimes):
        number = await keep(store, alice, size=5000, spooled=file.name)
        await lifetimes.look()
        assert file.exists()
        clock.pass_(31 * 86_400)
        await lifetimes.look()
        assert not file.exists()
        stored = await store.body(alice, number)
        assert (stored.raw, stored.file) == (None, None), "the header outlives it"
        assert await store.discarded_files() == set()

    living(path, story, clock=clock)


def test_a_user_over_quota_loses_the_oldest_bodies_and_nobody_elses(path):
    alice, bob, clock = add_user(path, "alice"), add_user(path, "bob"), Clock()

    async def story(store, lifetimes):
        bobs = await keep(store, bob, size=500)
        shared = await keep(store, alice, bob, size=400)
        older = await keep(store, alice, size=400)
        newer = await keep(store, alice, size=400)
        await lifetimes.look()
        assert await with_body(store, alice) == [older, newer]
        assert len(await with_body(store, bob)) == 2, "bob keeps the one that both had"
        assert await headers(store, alice) == [shared, older, newer]
        assert (await store.body(bob, bobs)).raw is not None

    living(path, story, clock=clock, keeping=Keeping(days=30, quota=1000, total=10**9, headers_days=365))


def test_over_the_total_the_oldest_go_whosever_they_are(path):
    alice, bob, clock = add_user(path, "alice"), add_user(path, "bob"), Clock()

    async def story(store, lifetimes):
        for user_id, size in ((alice, 500), (bob, 300), (alice, 400), (bob, 200)):
            await keep(store, user_id, size=size)
        await lifetimes.look()
        assert await bodies(store) == [400, 200]

    living(path, story, clock=clock, keeping=Keeping(days=30, quota=10**9, total=650, headers_days=365))


def test_exactly_at_the_limit_nothing_goes(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        for _ in range(3):
            await keep(store, alice, size=100)
        await lifetimes.look()
        assert await bodies(store) == [100] * 3

    living(path, story, clock=clock, keeping=Keeping(days=30, quota=300, total=300, headers_days=365))


def test_more_than_one_clearing_holds_goes_in_several(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        for _ in range(3):
            await asyncio.gather(*(keep(store, alice, size=10) for _ in range(400)))
        await lifetimes.look()
        assert sum(await bodies(store)) == 100

    living(path, story, clock=clock, keeping=Keeping(days=30, quota=100, total=10**9, headers_days=365))


def test_headers_go_last_and_only_when_the_broker_cannot_hold_them(path):
    alice, clock = add_user(path, "alice"), Clock()
    keeping = Keeping(days=1, quota=10**9, total=10**9, headers_days=10)

    async def story(store, lifetimes):
        published, unpublished = await keep(store, alice), await keep(store, alice)
        first = [p for p in await store.take_messages(limit=9, busy=()) if p.kind == "msg" and p.number == published]
        await store.settle(first)
        clock.pass_(11 * 86_400)
        for _ in range(2):
            await lifetimes.look()
            clock.pass_(CLEAR_S)
        assert await headers(store, alice) == [published], "its tombstone has not gone out yet"
        assert unpublished not in await headers(store, alice)
        await store.settle(await store.take_messages(limit=9, busy=()))
        await lifetimes.look()
        assert await headers(store, alice) == []

    living(path, story, clock=clock, keeping=keeping)


def test_a_clock_that_steps_forward_expires_mail_and_drops_nothing_for_a_day(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        await keep(store, alice)
        clock.step(400 * DAY_MS)
        await lifetimes.look()
        assert await store.live_count() == 0
        assert await bodies(store) == [100]
        clock.step(-400 * DAY_MS)
        await lifetimes.look()
        assert await store.live_count() == 1, "all is as before when the clock is right again"
        assert await bodies(store) == [100]

    living(path, story, clock=clock)


def test_a_clock_that_stays_ahead_is_believed_after_a_day(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        await keep(store, alice)
        clock.step(400 * DAY_MS)
        await lifetimes.look()
        clock.pass_(TRUST_CLOCK_AFTER_S)
        await lifetimes.look()
        assert await bodies(store) == []

    living(path, story, clock=clock)


def test_a_clock_that_steps_back_loses_nothing(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        first = await keep(store, alice)
        clock.step(-400 * DAY_MS)
        await lifetimes.look()
        second = await keep(store, alice)
        assert second == first + 1
        assert await store.live_count() == 2
        assert await bodies(store) == [100, 100]

    living(path, story, clock=clock)


def test_what_a_step_of_the_clock_doubts_is_doubted_until_the_store_could_be_written(path, monkeypatch):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        await keep(store, alice)
        review, outcomes = store.course.review, []

        async def fail_once():
            outcomes.append(len(outcomes) > 0)
            if not outcomes[-1]:
                raise StoreUnavailableError("away")
            await review()

        monkeypatch.setattr(store.course, "review", fail_once)
        clock.step(8 * DAY_MS)
        with pytest.raises(StoreUnavailableError):
            await lifetimes.look()
        await lifetimes.look()
        assert await store.live_count() == 0
        await lifetimes.look()
        assert outcomes == [False, True]

    living(path, story, clock=clock)


def test_ntp_slewing_the_clock_is_no_step(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store, lifetimes):
        await keep(store, alice, size=200)
        for _ in range(100):
            clock.pass_(LOOK_S)
            clock.step(20)
            await lifetimes.look()
        assert await bodies(store) == [], "clearing was not put off"

    living(path, story, clock=clock, keeping=Keeping(days=30, quota=100, total=10**9, headers_days=365))
