"""SUBSCRIBE and UNSUBSCRIBE of a client: what is right is read, what is wrong is named."""

from __future__ import annotations

import pytest

from broker.errors import ProtocolError
from broker.wire.codec3 import CODEC_31, CODEC_311
from broker.wire.packets import Subscribe, Unsubscribe, Wanted
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import frame, of_five, read, refused, subscribe5, unsubscribe5

MALFORMED: list[str | bytes] = [
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    "a\0",
    "a\x01",
    "a\x1f",
    "a\x7f",
    "a\x9f",
    "a\uffff",
    "a\ufdd0",
]
MISPLACED: list[str | bytes] = ["", "a/+b", "a+", "#/a", "a#", "a/#/b", "##"]


def test_older_versions():
    data = mqtt.subscribe(("a/#", 1), ("ü", 2), ("+", 0), packet_id=9)
    for speaks in (CODEC_31, CODEC_311):
        assert read(data, speaks) == Subscribe(9, (Wanted("a/#", 1), Wanted("ü", 2), Wanted("+", 0)))
        assert read(mqtt.unsubscribe("a/#", "ü", packet_id=9), speaks) == Unsubscribe(9, ("a/#", "ü"))


def test_mqtt_5():
    data = subscribe5(("a/#", 0x2D), ("$share/g/ü", 0x18), properties=b"\x26\0\1a\0\1b\x0b\x80\1", packet_id=9)
    assert read(data, of_five()) == Subscribe(9, (Wanted("a/#", 0x2D, 128), Wanted("$share/g/ü", 0x18, 128)))
    data = unsubscribe5("a/#", "ü", properties=b"\x26\0\1a\0\1b", packet_id=9)
    assert read(data, of_five()) == Unsubscribe(9, ("a/#", "ü"))


def test_options_are_those_that_there_are():
    """[MQTT-3.8.3-5] §3.8.3.1; in 3.1.1 [MQTT-3-8.3-4]."""
    for options in range(256):
        data = subscribe5(("a", options))
        if options & 0xC0:
            assert refused(data, of_five()) == ("MQTT-3.8.3-5", 0x81)
        elif options & 3 == 3 or options >> 4 == 3:
            assert refused(data, of_five()) == ("MQTT-3.8.3.1", 0x82)
        else:
            assert read(data, of_five()).wanted[0].options == options
        if options > 2:
            assert refused(mqtt.subscribe(("a", options)), CODEC_311) == ("MQTT-3-8.3-4", 0x81)


def test_a_shared_subscription_has_no_messages_of_its_own():
    """[MQTT-3.8.3-4]"""
    assert refused(subscribe5(("$share/g/a", 4)), of_five()) == ("MQTT-3.8.3-4", 0x82)


@pytest.mark.parametrize("wrong", MALFORMED + MISPLACED)
def test_a_filter_that_is_none_ends_the_connection(wrong):
    for data in (mqtt.subscribe(("a", 0), (wrong, 0)), mqtt.unsubscribe("a", wrong)):
        clause, code = refused(data, CODEC_311)
        assert code == 0x81
        assert clause.startswith("MQTT-4.7.1" if wrong in MISPLACED else "MQTT-1.5.3")
    for data in (subscribe5(("a", 0), (wrong, 0)), unsubscribe5("a", wrong)):
        clause, code = refused(data, of_five())
        assert code == 0x81
        assert clause.startswith("MQTT-4.7.1" if wrong in MISPLACED else "MQTT-1.5.4")


@pytest.mark.parametrize(
    ("data", "clause", "code"),
    [
        (mqtt.subscribe(), "MQTT-3.8.3-3", 0x82),
        (mqtt.subscribe(("a", 1), packet_id=0), "MQTT-2.3.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x05ab\x01", 2), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00", 2), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x01a", 2), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x01a\0\0", 2), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00", 2), "MQTT-2.3.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"", 2), "MQTT-2.3.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, mqtt.subscribe(("a", 1))[2:], 10), "MQTT-2.2.2-2", 0x81),
        (mqtt.unsubscribe(), "MQTT-3.10.3-2", 0x82),
        (mqtt.unsubscribe("a", packet_id=0), "MQTT-2.3.1-1", 0x81),
        (mqtt.packet(mqtt.UNSUBSCRIBE, b"\x00\x01\x00\x05ab", 2), "MQTT-4.8.0-1", 0x81),
        (mqtt.packet(mqtt.UNSUBSCRIBE, mqtt.unsubscribe("a")[2:], 10), "MQTT-2.2.2-2", 0x81),
    ],
)
def test_a_wrong_one_of_3_1_1_is_named(data, clause, code):
    assert refused(data, CODEC_311) == (clause, code)


@pytest.mark.parametrize(
    ("data", "clause", "code"),
    [
        (subscribe5(), "MQTT-3.8.3-2", 0x82),
        (subscribe5(("a", 1), packet_id=0), "MQTT-2.2.1-3", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x00\x05ab\x01", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x00", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01\x00\x00\x01a", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"\x00", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, b"", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.SUBSCRIBE, subscribe5(("a", 1))[2:], 10), "MQTT-2.1.3-1", 0x81),
        (unsubscribe5(), "MQTT-3.10.3-2", 0x82),
        (unsubscribe5("a", packet_id=0), "MQTT-2.2.1-3", 0x81),
        (mqtt.packet(mqtt.UNSUBSCRIBE, b"\x00\x01\x00\x00\x05ab", 2), "MQTT-4.13.1-1", 0x81),
        (mqtt.packet(mqtt.UNSUBSCRIBE, unsubscribe5("a")[2:], 10), "MQTT-2.1.3-1", 0x81),
    ],
)
def test_a_wrong_one_of_mqtt_5_is_named(data, clause, code):
    assert refused(data, of_five()) == (clause, code)


def test_3_1_says_a_thing_twice():
    """§3.8 of MQTT 3.1: DUP is set when a SUBSCRIBE is sent again."""
    assert read(mqtt.packet(mqtt.SUBSCRIBE, mqtt.subscribe(("a", 1))[2:], 10), CODEC_31).wanted == (Wanted("a", 1),)
    assert read(mqtt.packet(mqtt.UNSUBSCRIBE, mqtt.unsubscribe("a")[2:], 10), CODEC_31).filters == ("a",)
    assert read(mqtt.packet(mqtt.PUBREL, b"\0\1", 10), CODEC_31).packet_id == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("subscribe", mqtt.subscribe(*[("a", 1)] * 1025)),
        ("unsubscribe", mqtt.unsubscribe(*["a"] * 1025)),
    ],
)
def test_a_packet_with_more_filters_than_anybody_needs_is_read_only_so_far(name, data):
    of_three, of_5 = frame(data), frame(bytes(data[:1]) + mqtt.packet(0, data[3:5] + b"\0" + data[5:])[1:])
    for speaks, one in ((CODEC_311, of_three), (of_five(), of_5)):
        decode = getattr(speaks, name)
        found = decode(one, most=1025)
        assert len(found.wanted if name == "subscribe" else found.filters) == 1025
        with pytest.raises(ProtocolError) as error:
            decode(one, most=1024)
        assert (error.value.clause, error.value.code) == ("limits.subscriptions", 0x97)
