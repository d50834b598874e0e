"""How long sessions last, and what is done when their time has come: wills, ends, room for others."""

from __future__ import annotations

import pytest

from broker.entries import Bounds
from broker.holding import Holding
from broker.wire.message import Message
from broker.wire.packets import AS_PUBLISHED, NEVER, NO_LOCAL, Will
from tests.unit.broker.stage import ALICE, BOB, BRIDGE, Stage, committed, run

STATUS = "mail-bridge/main/status"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


def loaded(path):
    async def load(store):
        return {saved.username: saved for saved in store.load()}

    return run(path, load)


def story(told):
    """A test that is told on an open store."""

    def test(path):
        async def on(store):
            await told(Stage(store))

        run(path, on)

    test.__name__, test.__doc__ = told.__name__, told.__doc__
    return test


def look(stage, now):
    stage.now = now
    stage.router.roster.look_after(now)


@story
async def test_each_session_ends_by_its_own_expiry(stage):
    """[MQTT-3.1.2-23], and no later than the broker keeps any"""
    for who, expiry_s in ((ALICE, 60), (BOB, NEVER), (BRIDGE, 3600)):
        stage.open(who, expiry_s=expiry_s)[0].handler.evict("gone")
    sessions = stage.router.roster.sessions
    look(stage, 1059.9)
    assert set(sessions) == {"alice.phone", "bob.phone", "bridge"}
    look(stage, 1060.0)
    assert set(sessions) == {"bob.phone", "bridge"}
    look(stage, 1500.0)
    assert not sessions
    assert stage.router.roster.next_at is None


@story
async def test_time_runs_from_the_last_connection(stage):
    stage.open(expiry_s=60)[0].handler.evict("gone")
    stage.now = 1050.0
    session, present = stage.open(expiry_s=60)
    assert present
    look(stage, 2000.0)
    assert stage.router.roster.sessions == {"alice.phone": session}, "it is connected"
    session.handler.evict("gone")
    look(stage, 2059.0)
    assert stage.router.roster.sessions
    look(stage, 2060.0)
    assert not stage.router.roster.sessions


@story
async def test_who_comes_back_too_late_finds_nothing_though_nobody_looked(stage):
    first, _ = stage.open(expiry_s=60)
    stage.subscribe(first, "mail/alice/#")
    first.handler.evict("gone")
    stage.now = 1060.0
    second, present = stage.open(expiry_s=60)
    assert not present
    assert second.subscriptions == {}


@story
async def test_an_expiry_of_zero_ends_with_the_connection(stage):
    session, _ = stage.open(expiry_s=0)
    assert not session.durable
    session.handler.evict("gone")
    assert not stage.router.roster.sessions
    assert not stage.open(expiry_s=0)[1]


@story
async def test_a_session_that_is_taken_over_had_ended_if_it_was_to_end(stage):
    """[MQTT-3.1.4-3]"""
    stage.open(expiry_s=0)
    assert not stage.open(expiry_s=0)[1]
    stage.open(clean=True, expiry_s=NEVER)
    assert stage.open(expiry_s=NEVER)[1]


@story
async def test_a_goodbye_changes_the_expiry_but_gives_no_session_to_who_has_none(stage):
    """[MQTT-3.14.2-2]"""
    roster = stage.router.roster
    session, _ = stage.open(expiry_s=0)
    assert not roster.change_expiry(session, 10)
    assert roster.change_expiry(session, 0)
    session, _ = stage.open(expiry_s=100)
    assert roster.change_expiry(session, 10)
    session.handler.evict("gone")
    look(stage, 1010.0)
    assert not roster.sessions


def test_expiries_hold_over_a_restart(path):
    async def before(store):
        stage = Stage(store)
        stage.open(ALICE, expiry_s=60)[0].handler.evict("gone")
        stage.open(BOB, expiry_s=NEVER)[0].handler.evict("gone")
        session, _ = stage.open(BRIDGE, expiry_s=NEVER)
        stage.router.roster.change_expiry(session, 0)
        session.handler.evict("gone")

    async def after(store):
        stage = Stage(store)
        stage.now = 1030.0
        await stage.restore()
        assert set(stage.router.roster.sessions) == {"alice.phone", "bob.phone"}
        look(stage, 1060.0)

    run(path, before)
    assert {name: saved.expiry_s for name, saved in loaded(path).items()} == {"alice.phone": 60, "bob.phone": NEVER}
    run(path, after)
    assert set(loaded(path)) == {"bob.phone"}


def test_a_session_that_is_resumed_to_end_is_on_disk_no_more(path):
    async def story(store):
        stage = Stage(store)
        session, _ = stage.open(expiry_s=60)
        stage.subscribe(session, "mail/alice/#")
        await committed(store, stage.say("mail/alice/msg/1"))
        session.handler.evict("gone")
        session, present = stage.open(expiry_s=0)
        assert present
        assert [entry.message.topic for entry in stage.took(session)] == ["mail/alice/msg/1"]
        stage.say("mail/alice/msg/2")

    run(path, story)
    assert loaded(path) == {}


def will(delay_s=0, expiry_s=None, qos=1):
    return Will(Message(STATUS, b"offline", qos), retain=True, delay_s=delay_s, expiry_s=expiry_s)


def part(session, told):
    session.handler.will = told
    session.handler.evict("gone")


def retained(stage):
    message = stage.router.retained.get(STATUS)
    return message and message.payload


@story
async def test_a_will_without_a_delay_is_sent_at_once(stage):
    session, _ = stage.open(BRIDGE)
    part(session, will(qos=2, expiry_s=30))
    assert retained(stage) == b"offline"
    assert stage.router.retained.get(STATUS).expires_at == 1030.0


@story
async def test_a_will_waits_for_its_delay_and_its_lifetime_begins_then(stage):
    session, _ = stage.open(BRIDGE)
    part(session, will(delay_s=20, expiry_s=30))
    look(stage, 1019.9)
    assert retained(stage) is None
    look(stage, 1020.0)
    assert retained(stage) == b"offline"
    assert stage.router.retained.get(STATUS).expires_at == 1050.0
    stage.router.expire_retained(1050.0)
    assert retained(stage) is None
    look(stage, 1500.0)
    assert not stage.router.roster.sessions


@story
async def test_who_is_back_in_time_has_no_will_sent(stage):
    """[MQTT-3.1.3-9]"""
    part(stage.open(BRIDGE)[0], will(delay_s=20))
    stage.now = 1010.0
    session, _ = stage.open(BRIDGE)
    look(stage, 1100.0)
    session.handler.evict("goodbye")
    look(stage, 1200.0)
    assert retained(stage) is None


@pytest.mark.parametrize("ending", ["clean", "expired", "none"])
def test_at_the_end_of_its_session_a_will_is_sent_whatever_its_delay(path, ending):
    """[MQTT-3.1.2-8] [MQTT-3.1.3-9]"""

    async def on(store):
        stage = Stage(store)
        session, _ = stage.open(BRIDGE, expiry_s=0 if ending == "none" else 30)
        part(session, will(delay_s=400))
        if ending == "clean":
            stage.open(BRIDGE, clean=True)
        elif ending == "expired":
            look(stage, 1029.0)
            assert retained(stage) is None
            look(stage, 1030.0)
        assert retained(stage) == b"offline"

    run(path, on)


@story
async def test_who_takes_over_in_time_has_no_will_sent_either(stage):
    session, _ = stage.open(BRIDGE)
    session.handler.will = will(delay_s=5)
    stage.open(BRIDGE)
    look(stage, 1100.0)
    assert retained(stage) is None


def test_a_bridge_has_its_options_on_what_a_client_subscribed_to_before(path):
    async def client(store):
        stage = Stage(store)
        session, _ = stage.open(BRIDGE)
        stage.subscribe(session, "mail/#", identifier=7)

    async def bridge(store):
        stage = Stage(store)
        await stage.restore()
        stage.router.roster.sessions["bridge"].who = BRIDGE
        session, present = stage.open(BRIDGE, bridge=True)
        assert present
        assert stage.subscribe(session, "mail-bridge/#", options=0) == [0]

    run(path, client)
    run(path, bridge)
    marks = NO_LOCAL | AS_PUBLISHED
    assert loaded(path)["bridge"].filters == {"mail/#": (1 | marks, 7), "mail-bridge/#": (marks, 0)}


def test_over_the_bound_for_all_who_has_most_loses_his_oldest(path):
    async def on(store):
        stage = Stage(store, total=10_000)
        stage.router.roster._holding = Holding(Bounds(5, 100, 100_000), total=10_000, session_s=500.0)
        for who in (ALICE, BOB):
            session, _ = stage.open(who)
            stage.subscribe(session, f"mail/{who.user}/#")
            session.handler.evict("gone")
        roster = stage.router.roster
        stage.say("mail/bob/msg/1", b"b" * 3000)
        for number in range(20):
            stage.say(f"mail/alice/msg/{number}", b"%04d" % number)
        assert roster.quota.total <= 10_000
        alice, bob = (roster.sessions[who.username] for who in (ALICE, BOB))
        assert len(bob.delivery) == 1
        assert roster.quota.total == alice.weight + bob.weight
        assert stage.router._statistics.dropped["queue_total_full"] == alice.dropped > 0
        await committed(store, store.ticket)
        session, _ = stage.open(ALICE)
        left = [int(entry.message.payload) for entry in stage.took(session)]
        assert left == list(range(20 - len(left), 20)), "the oldest went"
        assert roster.quota.total == bob.weight

    run(path, on)
    saved = loaded(path)
    assert saved["bob.phone"].queued == 1


def test_what_waits_is_there_before_its_device_and_behind_it_what_came_meanwhile(path):
    async def before(store):
        stage = Stage(store)
        session, _ = stage.open()
        stage.subscribe(session, "mail/alice/#")
        session.handler.evict("gone")
        for number in range(7):
            stage.say(f"mail/alice/msg/{number}")
        stage.say("mail/alice/msg/short", expires_at=1020.0)
        await committed(store, stage.say("mail/alice/box", b"old", retain=True))

    async def after(store):
        stage = Stage(store)
        stage.now = 1030.0
        restoring = await stage.restore()
        session = stage.router.roster.sessions["alice.phone"]
        assert (len(session.delivery), session.delivery.take()) == (9, None)
        stage.say("mail/alice/box", b"new", retain=True)
        stage.say("mail/alice/msg/last")
        assert len(session.delivery) == 11
        await restoring.ready("alice.phone")
        await restoring.ready("alice.phone")
        weight = session.weight
        assert stage.router.roster.quota.total == weight
        session, present = stage.open()
        assert present
        entries = stage.took(session)
        assert [entry.message.topic.rpartition("/")[2] for entry in entries] == [*"0123456", "box", "last"]
        assert [entry.sent for entry in entries] == [True] * 5 + [False] * 4
        assert entries[-2].message.payload == b"new"

    run(path, before)
    run(path, after)
    assert loaded(path)["alice.phone"].queued == 0


def test_a_session_that_ends_while_it_is_read_leaves_nothing(path):
    async def before(store):
        stage = Stage(store)
        session, _ = stage.open()
        stage.subscribe(session, "mail/alice/#")
        session.handler.evict("gone")
        await committed(store, stage.say("mail/alice/msg/1"))

    async def after(store):
        stage = Stage(store)
        restoring = await stage.restore()
        session, present = stage.open(clean=True)
        assert not present
        await restoring.ready("alice.phone")
        assert len(session.delivery) == 0
        assert stage.router.roster.quota.total == 0

    run(path, before)
    run(path, after)
    assert loaded(path)["alice.phone"].queued == 0
