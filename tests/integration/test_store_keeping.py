"""Keeping mail: once per user, once per retry, under ids that only grow, all or nothing."""

from __future__ import annotations

import msgpack
import pytest

from bridge.box.writes import Waits
from bridge.contract import ids
from bridge.contract.header import unpack_header
from bridge.store import desired, offline, people
from tests.support.stored import COUNT, DAY_MS, DAYS, NOON_MS, Clock, add_user, header, mail, rows, to, told


@pytest.fixture
def path(place):
    return place


def test_a_message_for_one_user_is_kept_with_body_marks_and_event(path):
    alice = add_user(path, "alice")

    async def story(store):
        [kept] = await store.keep(mail(to(alice, "alice"), text="the mail"), header("Hi"), message_id="<1@x>")
        assert (kept.user, kept.copy_of_known, kept.number) == ("alice", False, ids.at(NOON_MS))
        stored = await store.body(alice, kept.number)
        assert (stored.raw, stored.file, stored.size) == (b"the mail", None, 8)
        [(number, payload)] = await store.recent(alice, 10)
        assert number == kept.number
        assert unpack_header(payload).subject == "Hi"
        return kept.mail_id

    mail_id = told(path, story)
    waiting = {row[0] for row in rows(path, "SELECT path FROM outbox")}
    views = {f"alice/{view}" for view in ("box", "last", "text", "unread")}
    assert waiting == views
    assert rows(path, "SELECT number, waits FROM message") == [(ids.decode(mail_id), Waits.HEADER | Waits.EVENT)]


def test_a_message_for_many_users_shares_one_body(path):
    users = {name: add_user(path, name) for name in ("alice", "bob", "carol")}

    async def story(store):
        recipients = [to(user_id, name, detail=name[0]) for name, user_id in users.items()]
        kept = await store.keep(mail(*recipients), header(), message_id="<1@x>")
        assert [copy.user for copy in kept] == ["alice", "bob", "carol"]

    told(path, story)
    assert rows(path, "SELECT count(*) FROM body") == [(1,)]
    details = {msgpack.unpackb(row[0])[7] for row in rows(path, "SELECT header FROM message")}
    assert details == {"a", "b", "c"}


def test_two_addresses_of_one_user_ring_once_with_the_detail_of_the_first(path):
    alice = add_user(path, "alice", "alice@example.org", "second@example.org")

    async def story(store):
        recipients = [to(alice, "alice", "alice+shop@example.org", "shop"), to(alice, "alice", "second@example.org")]
        assert len(await store.keep(mail(*recipients), header(), message_id="")) == 1

    told(path, story)
    [(payload,)] = rows(path, "SELECT header FROM message")
    assert unpack_header(payload).detail == "shop"


def test_a_user_who_was_removed_meanwhile_is_left_out(path):
    alice = add_user(path, "alice")

    async def story(store):
        kept = await store.keep(mail(to(99, "gone"), to(alice, "alice")), header(), message_id="")
        assert [copy.user for copy in kept] == ["alice"]
        assert await store.keep(mail(to(99, "gone")), header(), message_id="") == ()

    told(path, story)
    assert rows(path, "SELECT count(*) FROM body") == [(1,)]


# --- copies ---------------------------------------------------------------------------------------


def test_a_delivery_tried_again_rings_once_and_gets_the_first_id(path):
    alice = add_user(path, "alice")

    async def story(store):
        [first] = await store.keep(mail(to(alice, "alice")), header(), message_id="<1@x>")
        [again] = await store.keep(mail(to(alice, "alice")), header(), message_id="<1@x>")
        assert (again.number, again.copy_of_known) == (first.number, True)

    told(path, story)
    assert rows(path, "SELECT count(*) FROM message") == [(1,)]
    assert rows(path, "SELECT count(*) FROM body") == [(1,)]


def test_a_copy_is_known_even_after_it_was_seen(path):
    alice = add_user(path, "alice")

    async def story(store):
        [first] = await store.keep(mail(to(alice, "alice")), header(), message_id="<1@x>")
        await store.set_seen(alice, [first.number], seen=True)
        [again] = await store.keep(mail(to(alice, "alice")), header(), message_id="<1@x>")
        assert again.copy_of_known
        assert await store.live_count() == 0

    told(path, story)


@pytest.mark.parametrize(
    ("message_id", "text", "later_ms"),
    [("", "hello", 0), ("<1@x>", "other content", 0), ("<2@x>", "hello", 0), ("<1@x>", "hello", DAY_MS + 1)],
    ids=["without Message-ID", "other content", "other Message-ID", "more than a day later"],
)
def test_what_is_no_copy_rings_again(path, message_id, text, later_ms):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store):
        await store.keep(mail(to(alice, "alice")), header(), message_id=message_id and "<1@x>")
        clock.now_ms += later_ms
        [again] = await store.keep(mail(to(alice, "alice"), text=text), header(), message_id=message_id)
        assert not again.copy_of_known
        assert await store.live_count() == 2

    told(path, story, clock=clock)


def test_a_retry_rings_for_those_only_who_do_not_have_it_yet(path):
    alice, bob = add_user(path, "alice"), add_user(path, "bob")

    async def story(store):
        await store.keep(mail(to(alice, "alice")), header(), message_id="<1@x>")
        both = await store.keep(mail(to(alice, "alice"), to(bob, "bob")), header(), message_id="<1@x>")
        assert [(copy.user, copy.copy_of_known) for copy in both] == [("alice", True), ("bob", False)]

    told(path, story)


# --- ids ------------------------------------------------------------------------------------------


def test_ids_grow_and_never_repeat_when_the_clock_steps_back(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store):
        numbers = []
        for step_ms in (0, 0, -DAY_MS, 0, 2 * DAY_MS, -5_000):
            clock.step(step_ms)
            [kept] = await store.keep(mail(to(alice, "alice")), header(), message_id="")
            numbers.append(kept.number)
        assert numbers == sorted(set(numbers))
        return numbers[-1]

    newest = told(path, story, clock=clock)
    clock.step(-100 * DAY_MS)

    async def after_a_restart(store):
        [kept] = await store.keep(mail(to(alice, "alice")), header(), message_id="")
        assert kept.number == newest + 1

    told(path, after_a_restart, clock=clock)


def test_ids_stay_ahead_of_messages_that_are_deleted(path):
    alice = add_user(path, "alice")

    async def story(store):
        [kept] = await store.keep(mail(to(alice, "alice")), header(), message_id="")
        return kept.number

    first = told(path, story)
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        transaction.connection.execute("DELETE FROM message")
    assert told(path, story) > first


# --- people ---------------------------------------------------------------------------------------


def removed(path, name, now_ms=NOON_MS):
    with offline.transaction(path, now_ms=now_ms, count=COUNT, days=DAYS) as transaction:
        people.remove_user(transaction, name)


async def publish_all(store, broker):
    """Bring the broker up to date, as the pump does."""
    while True:
        taken = await store.take_messages(limit=1000, busy=())
        taken += await store.take_views(limit=1000, busy=())
        for publication in taken:
            if publication.needed and publication.kind != "event":
                broker[publication.topic] = publication.payload
        if not taken:
            return
        await store.settle(taken)


def test_a_removed_user_ends_in_tombstones_and_leaves_nothing_behind(path):
    alice, bob, broker = add_user(path, "alice"), add_user(path, "bob"), {}

    async def story(store):
        for number in range(5):
            await store.keep(mail(to(alice, "alice"), to(bob, "bob")), header(str(number)), message_id="")
        await publish_all(store, broker)
        assert sum(topic.startswith("alice/msg/") for topic in broker) == 5
        await store.keep(mail(to(alice, "alice")), header("never published"), message_id="")
        removed(path, "alice")
        await publish_all(store, broker)
        assert await store.waiting() == 0

    told(path, story)
    assert all(not payload for topic, payload in broker.items() if topic.startswith("alice/"))
    assert all(broker[topic] for topic in ("bob/box", "bob/last", "bob/text", "bob/unread"))
    for table in ("user", "address", "message"):
        assert rows(path, f"SELECT count(*) FROM {table} WHERE user_id = ?", alice) == [(0,)]
    assert rows(path, "SELECT count(*) FROM body") == [(5,)], "bob still has his"


def test_a_user_removed_and_added_again_starts_empty(path):
    alice, broker = add_user(path, "alice"), {}

    async def story(store):
        await store.keep(mail(to(alice, "alice")), header(), message_id="")
        await publish_all(store, broker)
        removed(path, "alice")
        again = add_user(path, "alice")
        assert again != alice
        await publish_all(store, broker)
        [kept] = await store.keep(mail(to(again, "alice")), header(), message_id="")
        await publish_all(store, broker)
        return kept.mail_id

    mail_id = told(path, story)
    live = {topic for topic, payload in broker.items() if payload}
    assert live == {f"alice/{what}" for what in (f"msg/{mail_id}", "box", "last", "text", "unread")}


def test_a_view_that_is_switched_off_is_cleared_and_comes_back(path):
    alice, broker = add_user(path, "alice"), {}

    def switch(*, on):
        with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
            people.set_view(transaction, "alice", "text", on=on)

    async def story(store):
        await store.keep(mail(to(alice, "alice")), header("Hi"), message_id="")
        switch(on=False)
        await publish_all(store, broker)
        assert (broker["alice/text"], broker["alice/unread"]) == (b"", b"1")
        switch(on=True)
        await publish_all(store, broker)
        assert broker["alice/text"].startswith(b"Bob: Hi")

    told(path, story)


def test_an_event_that_is_old_or_gone_leaves_quietly(path):
    alice, clock = add_user(path, "alice"), Clock()

    async def story(store):
        [seen] = await store.keep(mail(to(alice, "alice")), header(), message_id="")
        await store.keep(mail(to(alice, "alice")), header(), message_id="")
        await store.set_seen(alice, [seen.number], seen=True)
        events = [p for p in await store.take_messages(limit=100, busy=()) if p.kind == "event"]
        assert [event.needed for event in events] == [False, True]
        assert {event.topic for event in events if event.needed} == {"alice/event"}
        clock.now_ms += desired.EVENT_LIFETIME_MS + 1
        events = [p for p in await store.take_messages(limit=100, busy=()) if p.kind == "event"]
        assert [event.needed for event in events] == [False, False]

    told(path, story, clock=clock)
