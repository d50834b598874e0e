"""Rules in the store: in force at once, nothing lost, and a storm told once, through restarts and clock steps."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import pytest

from bridge.contract.header import unpack_header
from bridge.contract.views import pack_digest
from bridge.model import Flag
from bridge.rules.alert import Alert
from bridge.rules.change import Change
from bridge.rules.rules import Rules, RulesError
from bridge.rules.rules import read as read_rules
from bridge.rules.spam import SpamAction
from bridge.store import offline, people
from bridge.store import rules as stored
from bridge.store.people import PeopleError
from tests.support.stored import COUNT, DAYS, Clock, add_user, header, mail, rows, to, told

WINDOW_S = 600


@pytest.fixture
def path(place):
    return place


def rule(path, user="alice", *, clear=False, **change):
    """Set rules as the command line does."""
    with offline.transaction(path, now_ms=Clock().now_ms, count=COUNT, days=DAYS) as transaction:
        return stored.change(transaction, user, Change(**change), clear=clear)


class Scene:
    """A store with one user, and what its outbox would publish."""

    def __init__(self, store, user_id, clock):
        self.store, self.user_id, self.clock = store, user_id, clock

    async def mail(self, *, sender="bob@example.net", name="Bob", subject="s", flags=0, list_id="", seconds=1):
        """One mail, and some time after it; what was decided."""
        told_header = replace(header(subject), from_name=name, from_address=sender, flags=flags)
        [kept] = await self.store.keep(mail(to(self.user_id, "alice")), told_header, message_id="", list_id=list_id)
        self.clock.pass_(seconds)
        return kept

    async def alerts(self, number, **what):
        return [(await self.mail(**what)).alert for _ in range(number)]

    async def published(self):
        """Publish what waits: payloads by kind, in order."""
        by_kind = {}
        waiting = await self.store.take_messages(limit=1000, busy=())
        waiting += await self.store.take_views(limit=1000, busy=())
        for publication in waiting:
            if publication.needed:
                by_kind.setdefault(publication.kind, []).append(publication.payload)
        await self.store.settle(waiting)
        assert await self.store.waiting() == 0
        return by_kind

    async def events(self):
        return [json.loads(payload) for payload in (await self.published()).get("event", [])]


def scene(path, story, **options):
    """Run a story on a store with alice."""
    clock = options.setdefault("clock", Clock())
    alice = add_user(path, "alice")

    async def run(store):
        with_alice = Scene(store, alice, clock)
        await with_alice.published()
        await story(with_alice)

    told(path, run, **options)


STORM_OF_3 = {"event": "storm", "user": "alice", "from_name": "Bob", "from_address": "bob@example.net", "more": 3}


# --- in force at once -----------------------------------------------------------------------------


def test_rules_hold_from_the_next_mail_on_whichever_process_sets_them(path):
    async def story(s):
        assert (await s.mail()).alert is Alert.RING
        rule(path, mute=("@example.net",))
        assert (await s.mail()).alert is Alert.MUTED
        rule(path, vip=("bob@example.net",))
        assert (await s.mail()).alert is Alert.VIP
        rule(path, clear=True)
        assert (await s.mail()).alert is Alert.RING

    scene(path, story)


def test_what_is_silent_or_hidden_is_live_and_unread_like_any_other(path):
    async def story(s):
        rule(path, mute=("weekly.example",), hide="subject")
        kept = await s.mail(subject="secret", list_id="weekly.example")
        published = await s.published()
        [(number, payload)] = await s.store.recent(s.user_id, 9)
        assert number == kept.number
        assert published["msg"] == [payload]
        assert published["unread"] == [b"1"]
        assert published["box"] == [pack_digest([kept.mail_id])]
        told_header = unpack_header(payload)
        assert (told_header.flags, told_header.from_name, told_header.snippet) == (Flag.SILENT, "Bob", "")
        assert b"secret" not in b"".join(chain(*published.values()))
        [event] = [json.loads(event) for event in published["event"]]
        assert (event["flags"], event["subject"], event["snippet"]) == (["silent"], "…", "")
        assert json.loads(published["last"][0])["id"] == kept.mail_id

    scene(path, story)


def test_each_user_has_rules_of_their_own(path):
    alice, bob = add_user(path, "alice"), add_user(path, "bob")
    rule(path, "bob", mute=("bob@example.net",), hide="snippet")

    async def story(store):
        kept = await store.keep(mail(to(alice, "alice"), to(bob, "bob")), header(), message_id="")
        assert [copy.alert for copy in kept] == [Alert.RING, Alert.MUTED]
        assert [unpack_header((await store.recent(user, 1))[0][1]).snippet for user in (alice, bob)] == [
            "snippet",
            "",
        ]

    told(path, story)


def test_rules_that_cannot_be_read_hide_and_ring_until_they_are_cleared(path):
    async def story(s):
        rule(path, mute=("@example.net",))
        rows(path, "UPDATE rules SET document = ?", '{"zone": "Mars/Olympus"}')
        assert (await s.mail()).alert is Alert.UNRULED
        assert (await s.mail(flags=Flag.SUSPICIOUS)).alert is Alert.SPAM
        [(_, newest), _] = await s.store.recent(s.user_id, 2)
        assert unpack_header(newest).subject == "…"
        with pytest.raises(RulesError, match="cannot be read"):
            rule(path, mute=("x@example.org",))
        assert rule(path, clear=True, rate="5/1m") == read_rules({"rate": "5/1m"})
        assert (await s.mail()).alert is Alert.RING

    scene(path, story)


def test_rules_go_with_their_user(path):
    add_user(path, "alice")
    rule(path, rate="1/1m", mute=("x@example.org",))
    with offline.transaction(path, now_ms=0, count=COUNT, days=DAYS) as transaction:
        people.remove_user(transaction, "alice")
    add_user(path, "alice")
    with offline.reading(path) as connection:
        assert stored.read(connection, "alice") == Rules()
        with pytest.raises(PeopleError, match="no user 'bob'"):
            stored.read(connection, "bob")


# --- the line of text -----------------------------------------------------------------------------


def test_text_shows_what_rings_and_comes_only_when_it_says_something_new(path):
    async def story(s):
        rule(path, mute=("@quiet.example",))
        first = await s.mail(subject="rings")
        assert (await s.published())["text"] == [b"Bob: rings \xe2\x80\x93 snippet"]
        await s.mail(subject="silent", sender="a@quiet.example")
        published = await s.published()
        assert "text" not in published
        assert json.loads(published["last"][0])["subject"] == "silent"
        second = await s.mail(subject="rings, too")
        assert (await s.published())["text"] == [b"Bob: rings, too \xe2\x80\x93 snippet"]
        await s.store.set_seen(s.user_id, [first.number], seen=True)
        assert "text" not in await s.published()
        await s.store.set_seen(s.user_id, [second.number], seen=True)
        assert (await s.published())["text"] == [b""]

    scene(path, story)


# --- spam -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "alert", "flags", "unread"),
    [
        (SpamAction.MARK, Alert.SPAM, Flag.SUSPICIOUS | Flag.SILENT, 1),
        (SpamAction.DELIVER, Alert.RING, Flag.SUSPICIOUS, 1),
        (SpamAction.SUPPRESS, Alert.SUPPRESSED, Flag.SUSPICIOUS | Flag.SILENT, 0),
    ],
)
def test_spam_is_kept_whatever_becomes_of_it(path, action, alert, flags, unread):
    async def story(s):
        kept = await s.mail(flags=Flag.SUSPICIOUS)
        assert kept.alert is alert
        published = await s.published()
        assert len(published.get("msg", ())) == len(published.get("event", ())) == unread
        [(number, payload)] = await s.store.recent(s.user_id, 9)
        assert (number, unpack_header(payload).flags) == (kept.number, flags)
        assert (await s.store.body(s.user_id, number)).raw == b"hello"
        assert await s.store.set_seen(s.user_id, [number], seen=False) == (1 - unread)
        assert await s.store.live_count() == 1

    scene(path, story, spam=action)


# --- storms ---------------------------------------------------------------------------------------


def test_what_is_beyond_the_rate_is_silent_and_told_once_when_the_window_is_over(path):
    async def story(s):
        rule(path, rate="2/10m")
        assert await s.alerts(5) == [Alert.RING] * 2 + [Alert.STORM] * 3
        published = await s.published()
        assert len(published["msg"]) == 5
        assert published["unread"] == [b"5"]
        assert [json.loads(event)["event"] for event in published["event"]] == ["mail", "mail"]
        assert await s.store.close_storms() == 0
        s.clock.pass_(WINDOW_S)
        assert await s.store.close_storms() == 1
        published = await s.published()
        assert [json.loads(event) for event in published["event"]] == [STORM_OF_3]
        assert published["text"] == ["Bob: s – snippet (3 more from Bob)".encode()]
        assert await s.store.close_storms() == 0
        assert await s.published() == {}

    scene(path, story)


def test_in_no_window_do_more_ring_than_the_rate_allows(path):
    async def story(s):
        rule(path, rate="3/10m")
        rang = []
        for _ in range(200):
            moment = s.clock.now_ms
            if (await s.mail(seconds=47)).alert is Alert.RING:
                rang.append(moment)
        assert all(later - first >= WINDOW_S * 1000 for first, later in zip(rang, rang[3:], strict=False))
        assert len(rang) >= 200 * 47 // WINDOW_S * 3
        await s.store.close_storms()
        storms = [event["more"] for event in await s.events() if event["event"] == "storm"]
        assert storms

    scene(path, story)


def test_every_message_is_in_one_event(path):
    async def story(s):
        rule(path, rate="3/10m")
        counted = 0
        for _ in range(150):
            await s.mail(seconds=29)
            await s.store.close_storms()
            counted += sum(event.get("more", 1) for event in await s.events())
        s.clock.pass_(WINDOW_S)
        await s.store.close_storms()
        counted += sum(event.get("more", 1) for event in await s.events())
        assert counted == 150

    scene(path, story)


def test_a_vip_rings_in_a_storm_and_takes_nothing_from_the_others(path):
    async def story(s):
        rule(path, rate="2/10m", vip=("boss@example.org",), mute=("@muted.example",))
        assert await s.alerts(3, sender="boss@example.org") == [Alert.VIP] * 3
        assert await s.alerts(3, sender="x@muted.example") == [Alert.MUTED] * 3
        assert await s.alerts(3) == [Alert.RING, Alert.RING, Alert.STORM]
        assert await s.alerts(1, sender="boss@example.org") == [Alert.VIP]

    scene(path, story)


@pytest.mark.parametrize(
    ("senders", "from_name", "from_address", "text"),
    [
        ([("Bob", "b@x"), ("Bob", "b@x")], "Bob", "b@x", "(2 more from Bob)"),
        ([("Bob", "b@x"), ("Bo", "b@x")], None, "b@x", "(2 more from b@x)"),
        ([("Bob", "b@x"), ("Bob", "b@y")], "Bob", None, "(2 more from Bob)"),
        ([("Bob", "b@x"), ("Ann", "a@x"), ("Bob", "b@x")], None, None, "(3 more)"),
    ],
)
def test_a_storm_names_its_sender_if_there_is_one(path, senders, from_name, from_address, text):
    async def story(s):
        rule(path, rate="1/10m")
        await s.mail()
        for name, sender in senders:
            await s.mail(name=name, sender=sender)
        s.clock.pass_(WINDOW_S)
        await s.store.close_storms()
        published = await s.published()
        event = json.loads(published["event"][-1])
        assert (event["from_name"], event["from_address"], event["more"]) == (from_name, from_address, len(senders))
        assert published["text"][0].decode().endswith(text)

    scene(path, story)


def test_the_next_mail_that_rings_ends_the_notice_and_so_does_reading_it(path):
    async def story(s):
        rule(path, rate="1/10m")
        kept = [await s.mail() for _ in range(3)]
        s.clock.pass_(WINDOW_S)
        await s.store.close_storms()
        assert (await s.published())["text"][0].endswith(b"(2 more from Bob)")
        await s.store.set_seen(s.user_id, [kept[0].number], seen=True)
        assert (await s.published())["text"] == [b"(2 more from Bob)"]
        await s.store.set_seen(s.user_id, [copy.number for copy in kept], seen=True)
        assert (await s.published())["text"] == [b""]
        await s.store.set_seen(s.user_id, [copy.number for copy in kept], seen=False)
        assert (await s.mail(subject="new")).alert is Alert.RING
        assert (await s.published())["text"] == ["Bob: new – snippet".encode()]

    scene(path, story)


def test_a_storm_goes_on_where_it_was_after_a_restart(path):
    clock = Clock()

    async def before(s):
        rule(path, rate="2/10m")
        assert await s.alerts(4) == [Alert.RING] * 2 + [Alert.STORM] * 2
        await s.published()

    scene(path, before, clock=clock)

    async def after(store):
        s = Scene(store, 1, clock)
        assert await s.alerts(1) == [Alert.STORM]
        clock.pass_(WINDOW_S)
        assert await store.close_storms() == 1
        assert await s.events() == [STORM_OF_3]

    told(path, after, clock=clock)


def test_a_storm_that_was_over_while_nobody_ran_is_told_unless_it_is_old_news(path):
    clock = Clock()

    async def before(s):
        rule(path, rate="2/10m")
        await s.alerts(5)
        await s.published()

    scene(path, before, clock=clock)

    async def after(store):
        assert await store.close_storms() == 1
        s = Scene(store, 1, clock)
        published = await s.published()
        assert "event" not in published
        assert published["text"][0].endswith(b"(3 more from Bob)")

    clock.pass_(WINDOW_S + 3600)
    told(path, after, clock=clock)


@pytest.mark.parametrize("step_s", [-86_400, 86_400])
def test_a_clock_that_steps_neither_silences_for_long_nor_loses_a_storm(path, step_s):
    async def story(s):
        rule(path, rate="2/10m")
        assert await s.alerts(4) == [Alert.RING] * 2 + [Alert.STORM] * 2
        await s.published()
        s.clock.step(step_s * 1000)
        assert await s.store.close_storms() == 1
        assert await s.alerts(3) == [Alert.RING, Alert.RING, Alert.STORM]
        s.clock.pass_(WINDOW_S)
        assert await s.store.close_storms() == 1
        await s.published()
        assert len(await s.store.recent(s.user_id, 99)) == 7

    scene(path, story)


def test_without_the_view_nobody_is_told_of_storms(path):
    async def story(s):
        rule(path, rate="1/10m")
        with offline.transaction(path, now_ms=s.clock.now_ms, count=COUNT, days=DAYS) as transaction:
            people.set_view(transaction, "alice", "event", on=False)
        await s.alerts(4)
        s.clock.pass_(WINDOW_S)
        assert await s.store.close_storms() == 1
        assert "event" not in await s.published()

    scene(path, story)
