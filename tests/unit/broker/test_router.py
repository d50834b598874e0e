"""What a subscription with options gets, and what becomes of messages that expire."""

from __future__ import annotations

import pytest

from broker.wire.message import Message
from broker.wire.packets import AS_PUBLISHED, NO_LOCAL, Wanted
from broker.wire.reasons import Reason
from tests.unit.broker.stage import ALICE, BOB, BRIDGE, Stage, committed, run

IF_NEW, NEVER = 0x10, 0x20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


def story(told):
    """A test that is told on an open store."""

    def test(path):
        async def on(store):
            await told(Stage(store))

        run(path, on)

    test.__name__, test.__doc__ = told.__name__, told.__doc__
    return test


def sent(stage, session):
    """QoS, the flag RETAIN and identifiers of each, by the last level of its topic."""
    return [
        (entry.message.topic.rpartition("/")[2], entry.qos, entry.retain, entry.ids) for entry in stage.took(session)
    ]


@story
async def test_overlapping_filters_give_one_copy_with_all_that_they_grant(stage):
    """[MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]"""
    session, _ = stage.open()
    stage.subscribe(session, "mail/alice/#", options=0, identifier=268_435_455)
    stage.subscribe(session, "mail/alice/msg/+", options=1 | AS_PUBLISHED, identifier=1)
    stage.subscribe(session, "mail/alice/+/1", options=0)
    stage.took(session)
    stage.say("mail/alice/msg/1", retain=True)
    stage.say("mail/alice/box", retain=True)
    got = sent(stage, session)
    assert [(*each[:3], set(each[3])) for each in got] == [
        ("1", 1, True, {268_435_455, 1}),
        ("box", 0, False, {268_435_455}),
    ]


@story
async def test_retain_is_as_published_only_for_who_asks(stage):
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13]"""
    plain, _ = stage.open(ALICE)
    other, _ = stage.open(BRIDGE)
    stage.subscribe(plain, "mail/alice/#")
    stage.subscribe(other, "mail/alice/#", options=1 | AS_PUBLISHED)
    assert stage.took(plain) == stage.took(other) == []
    stage.say("mail/alice/text", retain=True)
    stage.say("mail/alice/msg/1", b"", retain=True)
    stage.say("mail/alice/event")
    assert [each[2] for each in sent(stage, plain)] == [False] * 3
    assert [each[2] for each in sent(stage, other)] == [True, True, False]


@story
async def test_who_wants_nothing_of_his_own_gets_none_by_that_filter(stage):
    """[MQTT-3.8.3-3]"""
    session, _ = stage.open(BRIDGE)
    stage.subscribe(session, "mail/#", options=1 | NO_LOCAL, identifier=1)
    stage.took(session)
    topic = Message("mail/alice/box", b"x", 1)
    stage.router.receive(session, topic, retain=True)
    assert sent(stage, session) == []
    stage.say("mail/alice/box")
    stage.subscribe(session, "mail/alice/+", options=0, identifier=2)
    stage.took(session)
    stage.router.receive(session, topic, retain=False)
    assert sent(stage, session) == [("box", 0, False, (2,))], "the other filter lets it through, as it grants it"


@story
async def test_retain_handling(stage):
    """[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
    stage.say("mail/alice/text", retain=True)
    session, _ = stage.open()
    how = [NEVER, IF_NEW, IF_NEW, 0, 0, NEVER]
    got = []
    for options in how:
        stage.subscribe(session, "mail/alice/#", options=1 | options, identifier=5)
        got.append(sent(stage, session))
        if options == NEVER and len(got) == 1:
            stage.router.unsubscribe(session, ["mail/alice/#"])
    replay = [("text", 1, True, (5,))]
    assert got == [[], replay, [], replay, replay, []]


@story
async def test_a_filter_again_has_what_it_asked_for_last(stage):
    """[MQTT-3.8.4-3]: options and identifier are replaced"""
    session, _ = stage.open()
    stage.subscribe(session, "mail/alice/#", options=1 | AS_PUBLISHED, identifier=5)
    stage.subscribe(session, "mail/alice/#", options=0)
    stage.took(session)
    stage.say("mail/alice/text", retain=True)
    assert sent(stage, session) == [("text", 0, False, ())]
    assert stage.router.unsubscribe(session, ["mail/alice/#", "mail/alice/#"]) == [0, 0x11]


@story
async def test_each_filter_has_its_own_answer(stage):
    """[MQTT-3.9.3-1] [MQTT-3.9.3-2]"""
    session, _ = stage.open()
    filters = ["$share/g/mail/alice/#", "mail/alice/#", "mail/bob/#", "mail/a#", "/".join("a" * 17)]
    assert stage.subscribe(session, *filters, options=2) == [0x9E, 1, 0x87, 0x8F, 0x8F]
    more = [f"mail/alice/{number}" for number in range(5)]
    assert stage.subscribe(session, *more) == [1] * 4 + [0x97]
    assert stage.subscribe(session, *more, "mail/alice/x") == [0x97] * 6


@story
async def test_what_an_acknowledgement_says(stage):
    session, _ = stage.open()
    receive = stage.router.receive
    assert receive(session, Message("mail/bob/do/phone", b"x", 1), retain=False)[1] is Reason.NOT_AUTHORIZED
    mine = Message("mail/alice/do/phone", b"x", 1)
    assert receive(session, mine, retain=False)[1] is Reason.NO_MATCHING_SUBSCRIBERS
    stage.subscribe(stage.open(BRIDGE)[0], "mail/+/do/+")
    assert receive(session, mine, retain=False)[1] is Reason.SUCCESS


def test_what_is_retained_and_expires_is_gone_for_who_comes_and_from_the_disk(path):
    """[MQTT-3.3.2-5]"""

    async def before(store):
        stage = Stage(store)
        for topic, expires_at in (("short", 1010.0), ("again", 1010.0), ("long", 5000.0), ("never", 0.0)):
            stage.say(f"mail/alice/{topic}", retain=True, expires_at=expires_at)
        stage.say("mail/alice/again", b"y", retain=True, expires_at=1060.0)
        stage.say("mail/alice/down", retain=True, expires_at=1060.0)
        await committed(store, stage.say("mail/alice/down", b"y", retain=True, expires_at=1060.0))
        stage.now = 1010.0
        session, _ = stage.open()
        stage.subscribe(session, "mail/alice/#")
        assert {each[0] for each in sent(stage, session)} == {"again", "down", "long", "never"}
        assert len(stage.router.retained) == 5
        stage.router.expire_retained(stage.now)
        assert len(stage.router.retained) == 4

    async def after(store):
        stage = Stage(store)
        stage.now = 1060.0
        stage.router.restore_retained()
        assert len(stage.router.retained) == 2
        assert stage.router.retained.get("mail/alice/again") is None
        assert stage.router.retained.get("mail/alice/long").expires_at == 5000.0

    async def later(store):
        return sorted(message.topic for message in store.load_retained("mail/"))

    run(path, before)
    assert run(path, later) == ["mail/alice/again", "mail/alice/down", "mail/alice/long", "mail/alice/never"]
    run(path, after)
    assert run(path, later) == ["mail/alice/long", "mail/alice/never"]


def test_all_that_goes_with_a_queued_message_outlives_the_broker(path):
    async def before(store):
        stage = Stage(store)
        session, _ = stage.open(BOB)
        for number, topic_filter in enumerate(["mail/bob/#", "mail/bob/msg/+"], 1):
            wanted = [Wanted(topic_filter, 1 | AS_PUBLISHED, number)]
            stage.router.subscribe(session, wanted)
        session.handler.evict("gone")
        ticket = stage.say("mail/bob/msg/1", retain=True, expires_at=5000.5, properties=b"\x01\x01")
        await committed(store, ticket)

    async def after(store):
        stage = Stage(store)
        restoring = await stage.restore()
        await restoring.ready("bob.phone")
        session, _ = stage.open(BOB)
        [entry] = stage.took(session)
        assert entry.message == Message("mail/bob/msg/1", b"x", 1, b"\x01\x01", 5000.5)
        assert (entry.retain, set(entry.ids), entry.sent) == (True, {1, 2}, True)
        stage.say("mail/bob/msg/2", retain=True)
        assert [(retain, set(ids)) for _, _, retain, ids in sent(stage, session)] == [(True, {1, 2})]

    run(path, before)
    run(path, after)
