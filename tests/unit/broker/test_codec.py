"""Cutting and decoding packets: what is right is read, what is wrong is named."""

from __future__ import annotations

import pytest

from broker import codec
from broker.delivery import Entry
from broker.errors import ProtocolError
from broker.retained import Message
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


def frame(data, limit=1000):
    return cut(limit, data)[0]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 100_000])
def test_a_packet_survives_any_cut(size):
    data = mqtt.publish("t", b"x" * size) + mqtt.packet(mqtt.PINGREQ)
    for place in {1, 2, 3, 4, 5, len(data) // 2, len(data) - 1}:
        first, second = cut(200_000, data[:place], data[place:])
        assert codec.publish(first).message.payload == b"x" * size
        assert second.kind == mqtt.PINGREQ


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (b"\x00\x00", "MQTT-2.2.2-2"),
        (b"\xf1\x00", "MQTT-2.2.2-2"),
        (b"\x80\x00", "MQTT-2.2.2-2"),
        (b"\xc1\x00", "MQTT-2.2.2-2"),
        (b"\x30\xff\xff\xff\xff", "MQTT-2.2.3"),
        (b"\x30\xff\xff\xff\x7f", "limits.packet"),
    ],
)
def test_a_header_that_is_wrong_is_refused_before_the_body_comes(data, clause):
    with pytest.raises(ProtocolError) as error:
        frame(data)
    assert error.value.clause == clause


def test_connect_with_everything():
    data = mqtt.connect("id", username="u", password="p", clean=False, keepalive=7, will=("w/t", b"\xff\x00", 1, True))
    assert codec.connect(frame(data)) == codec.Connect(
        4, "id", False, 7, "u", "p", codec.Will(Message("w/t", b"\xff\x00", 1), True)
    )


def test_another_version_is_told_by_its_level_alone():
    assert codec.connect(frame(mqtt.connect(level=5) + b"")).level == 5
    assert codec.connect(frame(mqtt.connect(level=3, name="MQIsdp"))).level == 3


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (mqtt.packet(mqtt.PINGREQ), "MQTT-3.1.0-1"),
        (mqtt.connect(name="HTTP"), "MQTT-3.1.2-1"),
        (mqtt.connect(extra_flags=1), "MQTT-3.1.2-3"),
        (mqtt.connect(password="p"), "MQTT-3.1.2-22"),
        (mqtt.connect(extra_flags=8), "MQTT-3.1.2-13"),
        (mqtt.connect(extra_flags=32), "MQTT-3.1.2-13"),
        (mqtt.connect(will=("t", b"", 3, False)), "MQTT-3.1.2-14"),
        (mqtt.connect(will=("t/#", b"", 0, False)), "MQTT-3.3.2-2"),
        (mqtt.connect("a\0b"), "MQTT-1.5.3-2"),
        (mqtt.connect(b"\xff\xfe"), "MQTT-4.8.0-1"),
        (mqtt.connect(b"\xed\xa0\x80"), "MQTT-4.8.0-1"),
        (mqtt.connect(extra_flags=128), "MQTT-4.8.0-1"),
        (mqtt.packet(mqtt.CONNECT, mqtt.connect()[2:] + b"more"), "MQTT-4.8.0-1"),
        (mqtt.packet(mqtt.CONNECT, mqtt.connect()[2:8]), "MQTT-4.8.0-1"),
    ],
)
def test_a_wrong_connect_is_named(data, clause):
    with pytest.raises(ProtocolError) as error:
        codec.connect(frame(data))
    assert error.value.clause == clause


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (mqtt.packet(mqtt.PUBLISH, mqtt.text("t"), 6), "MQTT-3.3.1-4"),
        (mqtt.packet(mqtt.PUBLISH, mqtt.text("t"), 8), "MQTT-3.3.1-2"),
        (mqtt.publish("t/+"), "MQTT-3.3.2-2"),
        (mqtt.publish(""), "MQTT-3.3.2-2"),
        (mqtt.publish("a\0"), "MQTT-3.3.2-2"),
        (mqtt.publish(b"\xff"), "MQTT-1.5.3-1"),
        (mqtt.publish("t", qos=1, packet_id=0), "MQTT-2.3.1-1"),
        (mqtt.packet(mqtt.PUBLISH, b"\x00\x05abc"), "MQTT-3.3"),
        (mqtt.packet(mqtt.PUBLISH, b""), "MQTT-3.3"),
    ],
)
def test_a_wrong_publish_is_named(data, clause):
    with pytest.raises(ProtocolError) as error:
        codec.publish(frame(data))
    assert error.value.clause == clause


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (mqtt.subscribe(), "MQTT-3.8.3-3"),
        (mqtt.subscribe(("a", 3)), "MQTT-3-8.3-4"),
        (mqtt.subscribe(("a", 1), packet_id=0), "MQTT-2.3.1-1"),
        (mqtt.subscribe(("a\0", 1)), "MQTT-1.5.3-2"),
        (mqtt.subscribe((b"\xc0\x80", 1)), "MQTT-1.5.3-1"),
        (mqtt.subscribe((b"\xed\xa0\x80", 1)), "MQTT-1.5.3-1"),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x05ab\x01", 2), "MQTT-4.8.0-1"),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00", 2), "MQTT-4.8.0-1"),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x01a", 2), "MQTT-4.8.0-1"),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00", 2), "MQTT-2.3.1-1"),
    ],
)
def test_a_wrong_subscribe_is_named(data, clause):
    with pytest.raises(ProtocolError) as error:
        codec.subscribe(frame(data))
    assert error.value.clause == clause


def test_subscribe_and_unsubscribe_are_read():
    assert codec.subscribe(frame(mqtt.subscribe(("a/#", 1), ("b", 2), packet_id=9))) == (9, [("a/#", 1), ("b", 2)])
    assert codec.unsubscribe(frame(mqtt.unsubscribe("a/#", "ü", packet_id=9))) == (9, ["a/#", "ü"])
    with pytest.raises(ProtocolError):
        codec.unsubscribe(frame(mqtt.unsubscribe()))


def test_what_is_sent_is_read_back():
    entry = Entry(1, Message("mail/ü", b"p" * 300, 1), 1, retain=True, packet_id=77)
    sent = codec.encode_publish(entry)
    assert codec.publish(frame(sent)) == codec.Publish(entry.message, True, 77)
    entry.sent = True
    assert codec.encode_publish(entry)[0] & 8


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (codec.subscribe, mqtt.subscribe(*[("a", 1)] * 1025)),
        (codec.unsubscribe, mqtt.unsubscribe(*["a"] * 1025)),
    ],
)
def test_a_packet_with_more_filters_than_anybody_needs_is_read_only_so_far(read, data):
    assert len(read(frame(data, 10_000), most=1025)[1]) == 1025
    with pytest.raises(ProtocolError) as error:
        read(frame(data, 10_000))
    assert error.value.clause == "limits.subscriptions"


@pytest.mark.parametrize("count", [1, 125, 126, 20_000])
def test_answers_have_one_code_for_each_filter(count):
    suback = frame(codec.encode_suback(9, [1, 0x80] * count), 50_000)
    assert (suback.kind, suback.body) == (mqtt.SUBACK, b"\x00\x09" + b"\x01\x80" * count)
    unsuback = frame(codec.encode_unsuback(9))
    assert (unsuback.kind, unsuback.body) == (mqtt.UNSUBACK, b"\x00\x09")
