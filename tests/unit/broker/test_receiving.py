"""What one client publishes: exactly once, no more than it may have open, and the right answer to each."""

from __future__ import annotations

import asyncio

import pytest

from broker.errors import ProtocolError
from broker.receiving import Receiving
from broker.settings import BrokerLimits
from broker.shared import Shared
from broker.statistics import Statistics
from broker.terms import RECEIVE_MAXIMUM
from broker.turns import Turns
from broker.wire import codec
from broker.wire.codec3 import CODEC_311
from broker.wire.message import Message
from broker.wire.packets import NEVER, V5, Answer, Connect, Publish
from broker.writes import Writes
from tests.support import mqtt_client as mqtt
from tests.unit.broker.stage import ALICE, BRIDGE, Stage, committed, run

CODEC_5 = codec.speaking(Connect(V5, "c", clean_start=True, keep_alive=0), alias_maximum=0)
OWN = "mail/alice/do/phone"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.db"


class Publisher:
    """A client's receiving half, and the packets that it was answered with: type, packet id, reason code."""

    def __init__(self, stage, session, speaks=CODEC_5):
        loop = asyncio.get_running_loop()
        limits = BrokerLimits(publish_rate=1e6)
        writes, turns = Writes(loop.call_soon), Turns(loop.call_soon)
        shared = Shared(stage.router, stage.store, limits, Statistics(), turns, writes, lambda: stage.now)
        self.answers = []
        self.stage = stage
        self.receiving = Receiving(session=session, codec=speaks, shared=shared, send=self._answered)

    def _answered(self, data):
        while data:
            end = 2 + data[1]
            body = data[2:end]
            kind, number = data[0] >> 4, int.from_bytes(body[:2], "big")
            self.answers.append((kind, number, body[2] if len(body) > 2 else 0))
            data = data[end:]

    async def say(self, number, topic=OWN, *, qos=2, expiry_s=None):
        if self.receiving.publish(Publish(Message(topic, b"%d" % number, qos), False, number, expiry_s)):
            await self.receiving.wait()

    async def answered(self):
        """All answers so far, once they are safe."""
        await committed(self.stage.store, self.stage.store.ticket)
        self.receiving.acks.release()
        answers, self.answers = self.answers, []
        return answers


def listener(stage):
    session, _ = stage.open(BRIDGE)
    stage.subscribe(session, "mail/+/do/+")
    return session


@pytest.mark.parametrize("speaks", [CODEC_311, CODEC_5], ids=["3.1.1", "5"])
def test_a_message_of_qos_2_is_taken_once(path, speaks):
    """[MQTT-4.3.3-2] [MQTT-4.3.3-8] to [MQTT-4.3.3-12]"""

    async def on(store):
        stage = Stage(store)
        bridge = listener(stage)
        publisher = Publisher(stage, stage.open()[0], speaks)
        await publisher.say(7)
        await publisher.say(7)
        assert [entry.qos for entry in stage.took(bridge)] == [1], "no more than QoS 1 goes out"
        assert await publisher.answered() == [(mqtt.PUBREC, 7, 0)] * 2
        await publisher.receiving.release(Answer(7))
        await publisher.receiving.release(Answer(7))
        unknown = 0x92 if speaks is CODEC_5 else 0
        assert await publisher.answered() == [(mqtt.PUBCOMP, 7, 0), (mqtt.PUBCOMP, 7, unknown)]
        await publisher.say(7)
        assert len(stage.took(bridge)) == 1, "the packet id was free"

    run(path, on)


@pytest.mark.parametrize("durable", [True, False])
def test_a_packet_id_is_known_as_long_as_the_session_lives(path, durable):
    async def before(store):
        stage = Stage(store)
        session, _ = stage.open(expiry_s=NEVER if durable else 0)
        publisher = Publisher(stage, session)
        for number in (7, 8):
            await publisher.say(number)
        assert len(await publisher.answered()) == 2
        await publisher.receiving.release(Answer(8))
        assert len(await publisher.answered()) == 1
        session.handler.evict("gone")
        again, _ = stage.open(expiry_s=NEVER if durable else 0)
        assert again.received == ({7} if durable else None)

    async def after(store):
        stage = Stage(store)
        await stage.restore()
        bridge = listener(stage)
        publisher = Publisher(stage, stage.open()[0])
        await publisher.say(7)
        await publisher.say(8)
        assert [entry.message.payload for entry in stage.took(bridge)] == ([b"8"] if durable else [b"7", b"8"])
        stage.open(clean=True)

    async def gone(store):
        assert all(not saved.received for saved in store.load())

    run(path, before)
    run(path, after)
    run(path, gone)


def test_nothing_is_answered_before_it_is_safe(path):
    async def on(store):
        stage = Stage(store)
        publisher = Publisher(stage, stage.open()[0])
        await committed(store, store.ticket)
        await publisher.say(7)
        publisher.receiving.acks.release()
        assert publisher.answers == []
        assert await publisher.answered() == [(mqtt.PUBREC, 7, 0x10)]
        await publisher.receiving.release(Answer(7))
        publisher.receiving.acks.release()
        assert publisher.answers == []
        assert await publisher.answered() == [(mqtt.PUBCOMP, 7, 0)]

    run(path, on)


@pytest.mark.parametrize(("speaks", "told", "kept"), [(CODEC_311, 0, {7}), (CODEC_5, 0x87, set())])
def test_a_message_that_is_not_allowed_ends_its_exchange_with_the_reason(path, speaks, told, kept):
    """In MQTT 5; before, the exchange goes on as if it had been taken"""

    async def on(store):
        stage = Stage(store)
        session, _ = stage.open()
        publisher = Publisher(stage, session, speaks)
        await publisher.say(7, "mail/bob/do/phone")
        await publisher.say(8, "mail/bob/do/phone", qos=1)
        assert await publisher.answered() == [(mqtt.PUBREC, 7, told), (mqtt.PUBACK, 8, told)]
        assert session.received == kept

    run(path, on)


@pytest.mark.parametrize("qos", [1, 2])
def test_more_than_the_receive_maximum_may_not_be_open(path, qos):
    """[MQTT-3.3.4-9]; 3.1.1 knows no such thing"""

    async def on(store):
        stage = Stage(store)
        session, _ = stage.open(BRIDGE)
        publisher = Publisher(stage, session)
        store._let_go = lambda _number: None  # the disk takes its time
        for number in range(1, RECEIVE_MAXIMUM + 1):
            await publisher.say(number, "mail/x", qos=qos)
        with pytest.raises(ProtocolError) as error:
            await publisher.say(RECEIVE_MAXIMUM + 1, "mail/x", qos=qos)
        assert error.value.code == 0x93

    async def answered(store):
        stage = Stage(store)
        publisher = Publisher(stage, stage.open(BRIDGE, clean=True)[0])
        for number in range(1, 3 * RECEIVE_MAXIMUM):
            await publisher.say(number % 1000 + 1, "mail/x", qos=qos)
            if qos == 2:
                await publisher.receiving.release(Answer(number % 1000 + 1))
            if number % 100 == 0:
                await publisher.answered()
        await publisher.answered()
        assert publisher.receiving.acks.open == 0

    if qos == 2:
        run(path, on)
    run(path, answered)


def test_a_lifetime_begins_when_the_message_comes(path):
    async def on(store):
        stage = Stage(store)
        bridge = listener(stage)
        publisher = Publisher(stage, stage.open(ALICE)[0])
        await publisher.say(1, qos=1, expiry_s=60)
        await publisher.say(2, qos=0)
        assert [entry.message.expires_at for entry in stage.took(bridge)] == [1060.0, 0.0]

    run(path, on)
