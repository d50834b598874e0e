"""What goes out to one client: so much in a turn, and no more than it reads."""

from __future__ import annotations

import asyncio
import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import outgoing
from broker.delivery import Delivery
from broker.entries import Bounds
from broker.outgoing import HIGH_WATER, Outgoing
from broker.settings import BrokerLimits
from broker.statistics import Statistics
from broker.turns import Turns
from broker.wire import codec, codec3
from broker.wire.frames import Packets
from broker.wire.message import Message
from broker.wire.packets import Connect
from tests.support import mqtt_client as mqtt
from tests.support.waiting import until_on_loop


class Wire:
    """A link that takes what it is given, or does not."""

    known, idle = True, True
    fault: str | None = None
    refusal: str | None = None

    def __init__(self):
        self.sent, self.unsent, self.stuck, self.aborted = bytearray(), 0, False, False
        self.drained = asyncio.Event()

    def write(self, data):
        self.sent += data

    async def drain(self):
        await self.drained.wait()

    def abort(self):
        self.aborted = True

    async def chunk(self):
        return b""

    def finish(self):
        pass

    def topics(self):
        packets, found = Packets(1000), []
        packets.feed(bytes(self.sent))
        while (frame := packets.next()) is not None:
            found.append(mqtt.Packet(frame.kind, frame.flags, frame.body).topic)
        return found


class Stage:
    def __init__(self, *, stall_timeout=30.0):
        self.wire, self.evicted, self.passed, self.now = Wire(), [], [], 1000.0
        self.delivery = Delivery(Bounds(window=1000, messages=1000, octets=10**6))
        self.out = Outgoing(
            link=self.wire,
            delivery=self.delivery,
            limits=BrokerLimits(stall_timeout=stall_timeout),
            statistics=Statistics(),
            turns=Turns(asyncio.get_running_loop().call_soon),
            codec=codec3.CODEC_311,
            client=self,
            clock=lambda: self.now,
        )

    def evict(self, reason):
        self.evicted.append(reason)

    def pass_over(self, entry, reason):
        self.passed.append((entry.message.topic, reason))
        self.delivery.acknowledge(entry.packet_id)

    def queue(self, *topics, qos=0):
        for topic in topics:
            self.delivery.offer(Message(topic, b"x", qos), qos=qos, state=False)


def story(told):
    @functools.wraps(told)
    def run(*arguments, **named):
        asyncio.run(told(*arguments, **named))

    return run


@story
async def test_a_long_queue_goes_out_in_turns_and_in_order():
    stage = Stage()
    stage.queue(*(str(number) for number in range(200)))
    stage.out.pump()
    assert len(stage.wire.topics()) == 32
    stage.queue("late")
    stage.out.pump()
    assert len(stage.wire.topics()) == 32
    await until_on_loop(lambda: len(stage.wire.topics()) == 201, what="all messages")
    assert stage.wire.topics() == [*(str(number) for number in range(200)), "late"]


@story
async def test_a_look_that_finds_little_is_taken_in_turns():
    stage, looks = Stage(), []

    def found():
        for number in range(1000):
            looks.append(number)
            yield None
        yield Message("found", b"x", 0)

    stage.delivery.replay("#", qos=0, found=found())
    stage.out.pump()
    assert 0 < len(looks) < 100
    await until_on_loop(lambda: stage.wire.topics() == ["found"], what="what was looked for")


@story
async def test_a_client_that_does_not_read_is_waited_for_and_then_cut_off():
    stage = Stage(stall_timeout=0.01)
    stage.wire.unsent, stage.wire.stuck = HIGH_WATER + 1, True
    stage.queue("a")
    stage.out.pump()
    assert stage.wire.topics() == []
    await until_on_loop(lambda: stage.evicted, what="the client to be cut off")
    assert stage.evicted == ["slow_reader"]


@story
async def test_a_loop_that_stood_still_cuts_off_nobody_who_has_read():
    stage = Stage(stall_timeout=0.01)
    stage.wire.unsent = HIGH_WATER + 1
    stage.queue("a")
    drained = asyncio.create_task(asyncio.sleep(0.05))
    stage.out.pump()
    await drained
    assert stage.evicted == []
    stage.wire.unsent = 0
    stage.wire.drained.set()
    await until_on_loop(lambda: stage.wire.topics() == ["a"], what="the message")


@pytest.mark.parametrize("more", [0, 1])
@story
async def test_answers_may_lie_unread_up_to_a_bound(more):
    stage, limits = Stage(), BrokerLimits()
    stage.wire.unsent = HIGH_WATER + limits.packet + limits.write_buffer + more
    stage.out.send(b"answer")
    assert stage.evicted == ["slow_reader"] * more


@story
async def test_nothing_follows_the_end():
    stage = Stage()
    stage.queue(*(str(number) for number in range(100)))
    stage.out.pump()
    stage.out.close()
    stage.out.send(b"late")
    await asyncio.sleep(0.01)
    assert stage.wire.aborted
    assert len(stage.wire.topics()) == 32


@story
async def test_what_has_expired_is_passed_over():
    """[MQTT-3.3.2-5]"""
    stage = Stage()
    for topic, expires_at in (("gone", 1000.0), ("left", 1000.5), ("never", 0.0)):
        stage.delivery.offer(Message(topic, b"x", 1, b"", expires_at), qos=1, state=False)
    stage.out.pump()
    assert stage.wire.topics() == ["left", "never"]
    stage.now = 1001.0
    stage.out.resume(10)
    assert stage.passed == [("gone", "message_expired"), ("left", "message_expired")]
    assert stage.wire.topics() == ["left", "never", "never"]


@story
async def test_what_a_client_cannot_take_is_passed_over():
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
    stage = Stage()
    stage.out._codec = codec.speaking(Connect(5, "c", True, 0, packet_maximum=20), alias_maximum=0)
    for size in (30, 3):
        stage.delivery.offer(Message("t", b"x" * size, 1), qos=1, state=False)
    stage.out.pump()
    assert (stage.passed, stage.wire.topics()) == ([("t", "message_too_large")], ["t"])


@story
async def test_no_more_is_in_flight_than_the_client_takes():
    """[MQTT-3.3.4-9]"""
    stage = Stage()
    stage.queue(*"abc", qos=1)
    stage.out.resume(2)
    assert stage.wire.topics() == ["a", "b"]
    stage.out.resume(1)
    assert stage.wire.topics() == ["a", "b", "a"]


@pytest.mark.parametrize("unsent", [0, HIGH_WATER, HIGH_WATER + 1])
@story
async def test_last_words_are_for_who_has_read_most(unsent, monkeypatch):
    monkeypatch.setattr(outgoing, "_LINGER_S", 0.01)
    stage = Stage()
    stage.wire.unsent = unsent
    stage.out.close(b"taken over")
    heard = unsent <= HIGH_WATER
    assert (bytes(stage.wire.sent), stage.wire.aborted) == (b"taken over" * heard, not heard)
    await until_on_loop(lambda: stage.wire.aborted, what="the end, whether it was read or not")


def pass_on(stage, topic, *, qos=1, expires_at=0.0, size=1):
    message = Message(topic, b"x" * size, qos, b"", expires_at)
    return stage.out.pass_on(message, qos=qos, state=False, retain=False, ids=())


@story
async def test_what_nothing_has_to_go_before_goes_past_the_queue():
    stage = Stage()
    stage.out.resume(2)
    assert [pass_on(stage, "a", qos=0), pass_on(stage, "b"), pass_on(stage, "c")] == [True] * 3
    assert stage.wire.topics() == ["a", "b", "c"]
    assert len(stage.delivery) == 2
    assert not pass_on(stage, "d"), "the window is full"
    stage.queue("d", qos=1)
    assert stage.delivery.acknowledge(3) is not None
    assert not pass_on(stage, "e"), "one waits"
    stage.out.acknowledged()
    assert stage.wire.topics() == ["a", "b", "c", "d"]
    stage.out.resume(5)
    assert stage.wire.topics()[4:] == ["c", "d"], "what was in flight comes again"
    assert not pass_on(stage, "f", expires_at=1000.0), "it is worth nothing any more"
    assert pass_on(stage, "f", expires_at=1000.5)
    stage.out.close()
    assert not pass_on(stage, "g")


@story
async def test_nothing_goes_past_a_queue_that_is_not_read_from_disk_or_has_its_turn_to_come():
    stage = Stage()
    stage.delivery.unread = 1
    assert not pass_on(stage, "a")
    stage.delivery.unread = 0
    stage.queue(*(str(number) for number in range(33)))
    stage.out.pump()
    assert not pass_on(stage, "a")
    await until_on_loop(lambda: len(stage.wire.topics()) == 33, what="all messages")
    assert pass_on(stage, "a")


@story
async def test_who_does_not_read_is_sent_nothing_past_the_queue():
    stage = Stage()
    stage.wire.unsent = HIGH_WATER + 1
    assert pass_on(stage, "a"), "it is seen by what is sent"
    assert not pass_on(stage, "b")
    stage.queue("b")
    stage.out.pump()
    assert stage.wire.topics() == ["a"]
    stage.wire.unsent = 0
    stage.wire.drained.set()
    await until_on_loop(lambda: stage.wire.topics() == ["a", "b"], what="the message")


@story
async def test_what_a_client_cannot_take_is_passed_over_at_once():
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
    stage = Stage()
    stage.out._codec = codec.speaking(Connect(5, "c", True, 0, packet_maximum=20), alias_maximum=0)
    assert [pass_on(stage, "t", size=30), pass_on(stage, "t", size=3)] == [True, True]
    assert (stage.passed, stage.wire.topics()) == ([("t", "message_too_large")], ["t"])
    assert len(stage.delivery) == 1


STEPS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from([0, 1]), st.booleans(), st.sampled_from([0.0, 999.0, 2000.0])),
    st.tuples(st.just("acknowledge"), st.integers(0, 8)),
    st.tuples(st.just("resume"), st.integers(1, 4)),
    st.tuples(st.just("replay"), st.integers(0, 3)),
)


async def told(steps, *, past):
    """What goes out in a story: by the queue, or past it where that may be."""
    stage = Stage()
    stage.out.resume(3)
    for number, (what, *how) in enumerate(steps):
        if what == "say":
            qos, state, expires_at = how
            message = Message("box" if state else str(number), b"%d" % number, qos, b"", expires_at)
            named = {"qos": qos, "state": state, "retain": state, "ids": ()}
            if not (past and stage.out.pass_on(message, **named)):
                stage.delivery.offer(message, **named)
                stage.out.pump()
        elif what == "acknowledge":
            stage.delivery.acknowledge(how[0])
            stage.out.acknowledged() if past else stage.out.pump()
        elif what == "resume":
            stage.out.resume(*how)
        else:
            stage.delivery.replay("#", qos=1, found=[None, *(Message(f"r{n}", b"r", 1) for n in range(how[0]))])
            stage.out.pump()
    await asyncio.sleep(0)
    return bytes(stage.wire.sent), stage.passed, len(stage.delivery), stage.delivery.next_seq


@given(st.lists(STEPS, max_size=30))
def test_past_the_queue_goes_what_would_have_gone_out_of_it(steps):
    assert asyncio.run(told(steps, past=True)) == asyncio.run(told(steps, past=False))
