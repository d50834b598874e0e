"""Any bytes are a packet or a ProtocolError, in any version; and none costs more than in proportion to its bytes."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.errors import ProtocolError
from broker.wire import codec
from broker.wire.codec3 import CODEC_31, CODEC_311
from broker.wire.frames import Frame
from broker.wire.packets import Answer, Connect, Disconnect, Publish, Subscribe, Unsubscribe
from broker.wire.reasons import Reason
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import counted, frame, of_five, subscribe5, unsubscribe5

VALUES = (Connect, Publish, Subscribe, Unsubscribe, Answer, Disconnect, type(None))
SIZE = 262_144


def decode(one, speaks):
    """What one packet is, or how it was refused."""
    readers = {
        mqtt.CONNECT: codec.connect,
        mqtt.PUBLISH: speaks.publish,
        mqtt.SUBSCRIBE: lambda it: speaks.subscribe(it, most=codec.MOST_FILTERS),
        mqtt.UNSUBSCRIBE: lambda it: speaks.unsubscribe(it, most=codec.MOST_FILTERS),
        mqtt.DISCONNECT: speaks.disconnect,
        mqtt.PINGREQ: speaks.ping,
    }
    try:
        return readers.get(one.kind, speaks.answer)(one)
    except ProtocolError as error:
        return error


names = st.sampled_from([b"\0\4MQTT\4", b"\0\4MQTT\5", b"\0\6MQIsdp\3", b"\0\4MQTT\x84", b""])
bodies = st.binary(max_size=60) | st.builds(bytes.__add__, names, st.binary(max_size=60))
kinds = st.sampled_from([1, 3, 4, 5, 6, 7, 8, 10, 12, 14])


@settings(max_examples=300)
@given(kinds, st.integers(0, 15), bodies)
@example(3, 2, b"\0\1t\0")
@example(1, 0, b"\0\4MQTT")
def test_any_bytes_are_a_packet_or_a_protocol_error(kind, flags, body):
    for speaks in (CODEC_31, CODEC_311, of_five(alias_maximum=3)):
        one = Frame(kind, flags, body)
        found = decode(one, speaks)
        if isinstance(found, ProtocolError):
            assert Reason(found.code) >= Reason.UNSPECIFIED
            assert found.clause
            assert isinstance(codec.refusal(one, found), bytes)
        else:
            assert isinstance(found, VALUES)


def text(size, unit):
    """A text of so many bytes at most."""
    return mqtt.text(unit * (size // len(unit.encode())))


def hostile(size):
    """Packets of about so many bytes, each of which makes one loop run as long as it will."""
    long = min(size, 65_000)
    pairs = (b"\x26" + text(min(size // 256, 65_000), "\u200b") * 2) * 128
    return {
        "short filters": subscribe5(*[("a", 0)] * (size // 4)),
        "empty filters": unsubscribe5(*[""] * (size // 2)),
        "levels": subscribe5((text(long, "+/")[2:], 0)),
        "wildcards": subscribe5((text(long, "#")[2:], 0)),
        "misplaced": subscribe5((text(long, "a+/")[2:], 0)),
        "topic": mqtt.publish(text(long, "a/")[2:], b"x" * size),
        "odd": mqtt.publish(text(long, "\u200b")[2:], b"x" * size),
        "user properties": mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + counted(pairs)),
        "many properties": mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + counted(b"\x26\0\0\0\0" * (size // 5))),
        "long text": mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + counted(b"\x03" + text(long, "\u200b"))),
        "login": mqtt.connect(text(long, "\u200b")[2:], username=text(long, "a")[2:], password=b"x" * long),
    }


def milliseconds(one):
    """Processor time of this thread for a packet, the least of a few."""
    spent = []
    for _ in range(5):
        speaks, began = of_five(), time.thread_time()
        decode(one, speaks)
        spent.append(time.thread_time() - began)
    return 1000 * min(spent)


@pytest.mark.parametrize("name", list(hostile(16)))
def test_a_packet_takes_time_in_proportion_to_its_bytes(name):
    """Eight times the bytes take no more than some twelve times as long; what is quadratic takes sixty-four times."""
    small, large = frame(hostile(SIZE // 8)[name]), frame(hostile(SIZE)[name])
    assert milliseconds(large) < 12 * milliseconds(small) + 1


@pytest.mark.parametrize("name", list(hostile(16)))
def test_a_packet_takes_memory_in_proportion_to_its_bytes(name):
    one = frame(hostile(SIZE)[name])
    tracemalloc.start()
    try:
        decode(one, of_five())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * len(one.body) + 100_000
