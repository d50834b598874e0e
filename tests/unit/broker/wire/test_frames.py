"""Cutting a stream into packets: bounds and flags are judged before the body has come."""

from __future__ import annotations

import pytest

from broker.errors import ProtocolError
from broker.wire import codec3
from broker.wire.frames import Packets
from tests.support import mqtt_client as mqtt


def cut(limit, *chunks):
    """The packets in chunks that come one after the other."""
    packets, found = Packets(limit), []
    for chunk in chunks:
        packets.feed(chunk)
        while (one := packets.next()) is not None:
            found.append(one)
    return found


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 100_000])
def test_a_packet_survives_any_cut(size):
    data = mqtt.publish("t", b"x" * size) + mqtt.packet(mqtt.PINGREQ)
    for place in {1, 2, 3, 4, 5, len(data) // 2, len(data) - 1}:
        first, second = cut(200_000, data[:place], data[place:])
        assert codec3.CODEC_311.publish(first).message.payload == b"x" * size
        assert second.kind == mqtt.PINGREQ


@pytest.mark.parametrize(
    ("data", "clause", "code"),
    [
        (b"\x00\x00", "MQTT-2.2.2-2", 0x81),
        (b"\x01\x00", "MQTT-2.2.2-2", 0x81),
        (b"\xf1\x00", "MQTT-2.2.2-2", 0x81),
        (b"\x80\x00", "MQTT-2.2.2-2", 0x81),
        (b"\x83\x00", "MQTT-2.2.2-2", 0x81),
        (b"\x60\x00", "MQTT-2.2.2-2", 0x81),
        (b"\xa6\x00", "MQTT-2.2.2-2", 0x81),
        (b"\x42\x00", "MQTT-2.2.2-2", 0x81),
        (b"\xc1\x00", "MQTT-2.2.2-2", 0x81),
        (b"\xe8\x00", "MQTT-2.2.2-2", 0x81),
        (b"\x30\xff\xff\xff\xff", "MQTT-2.2.3", 0x81),
        (b"\x30\xff\xff\xff\x7f", "limits.packet", 0x95),
    ],
)
def test_a_header_that_is_wrong_is_refused_before_the_body_comes(data, clause, code):
    with pytest.raises(ProtocolError) as error:
        cut(1000, data)
    assert (error.value.clause, error.value.code) == (clause, code)


@pytest.mark.parametrize("first", [0x10, 0x1E, 0x30, 0x3F, 0x62, 0x6A, 0x82, 0x8A, 0xA2, 0xAA, 0xE0, 0xF0])
def test_what_only_the_version_can_judge_comes_through(first):
    (one,) = cut(1000, bytes((first, 0)))
    assert (one.kind, one.flags, one.body) == (first >> 4, first & 15, b"")


def test_a_packet_may_be_as_long_as_the_bound():
    assert len(cut(1000, mqtt.packet(mqtt.PUBLISH, bytes(1000)))[0].body) == 1000
    with pytest.raises(ProtocolError):
        cut(1000, mqtt.packet(mqtt.PUBLISH, bytes(1001)))


def test_an_idle_connection_keeps_nothing():
    packets = Packets(1000)
    packets.feed(mqtt.publish("t", b"x" * 500))
    assert packets.next() is not None
    assert packets._buffer == b""
    assert packets.next() is None


def test_of_a_chunk_nothing_is_kept_but_the_beginning_of_the_next_packet():
    packets = Packets(1000)
    packets.feed(mqtt.packet(mqtt.PINGREQ) * 1000 + mqtt.publish("t", b"x" * 500)[:10])
    for _ in range(1000):
        assert packets.next() is not None
    assert packets.next() is None
    assert len(packets._buffer) == 10
    packets.feed(mqtt.publish("t", b"x" * 500)[10:] + b"\xc0")
    assert packets.next() is not None
    assert packets.next() is None
    assert packets._buffer == b"\xc0"


def test_what_comes_byte_by_byte_grows_in_place():
    packets, data = Packets(1000), mqtt.publish("t", b"x" * 500)
    packets.feed(data[:1])
    assert packets.next() is None
    kept = packets._buffer
    for at in range(1, len(data)):
        packets.feed(data[at : at + 1])
        one = packets.next()
    assert packets._buffer is not kept
    assert one is not None
    assert bytes(kept) == data
