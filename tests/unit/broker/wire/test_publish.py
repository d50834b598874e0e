"""PUBLISH of a client: what is right is read, what is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ProtocolError
from broker.wire import codec5
from broker.wire.aliases import ALIAS_CHARACTERS
from broker.wire.codec3 import CODEC_31, CODEC_311
from broker.wire.frames import Frame
from broker.wire.message import Message
from broker.wire.names import MAX_LEVELS
from broker.wire.packets import Publish
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import of_five, publish5, read, refused

EVERYTHING = (
    b"\x26\0\1b\0\1B\x01\1\x02\0\0\0\x3c\x03\0\4text\x26\0\1a\0\1A\x08\0\3r/e\x09\0\2\xff\0"
)  # fmt: skip
KEPT = EVERYTHING.replace(b"\x02\0\0\0\x3c", b"")


@pytest.mark.parametrize("speaks", [CODEC_31, CODEC_311])
def test_older_versions(speaks):
    assert read(mqtt.publish("mail/ü", b"\xff\0", qos=1, packet_id=77, retain=True, dup=True), speaks) == Publish(
        Message("mail/ü", b"\xff\0", 1), retain=True, packet_id=77, dup=True
    )
    assert read(mqtt.publish("t", b""), speaks) == Publish(Message("t", b"", 0), retain=False, packet_id=0)
    assert read(mqtt.publish("t", b"", qos=2, packet_id=65535), speaks).packet_id == 65535


def test_mqtt_5_without_properties():
    assert read(publish5(topic="mail/ü", payload=b"\xff\0", qos=1, packet_id=77, flags=9), of_five()) == Publish(
        Message("mail/ü", b"\xff\0", 1), retain=True, packet_id=77, dup=True
    )
    assert read(publish5(payload=b""), of_five()) == Publish(Message("t", b"", 0), retain=False, packet_id=0)


def test_mqtt_5_with_everything():
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"""
    assert read(publish5(EVERYTHING, qos=2, packet_id=77), of_five()) == Publish(
        Message("t", b"x", 2, KEPT), retain=False, packet_id=77, expiry_s=60
    )
    assert read(publish5(b"\x02\0\0\0\0"), of_five()).expiry_s == 0


def test_a_payload_that_is_said_to_be_text_is_not_looked_at():
    """[MQTT-3.3.2-4] lets the receiver look, or not: it is for whom the message is."""
    assert read(publish5(b"\x01\1", payload=b"\xff"), of_five()).message.payload == b"\xff"


@pytest.mark.parametrize("speaks", [CODEC_31, CODEC_311])
@pytest.mark.parametrize(
    ("data", "clause", "code"),
    [
        (mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + b"\0\1", 6), "MQTT-3.3.1-4", 0x81),
        (mqtt.packet(mqtt.PUBLISH, mqtt.text("t"), 8), "MQTT-3.3.1-2", 0x81),
        (mqtt.publish("t/+"), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish("#"), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish(""), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish("a\0"), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish("a\x01"), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish("a\x7f"), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish("a\uffff"), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish("/".join("a" * (MAX_LEVELS + 1))), "MQTT-3.3.2-2", 0x81),
        (mqtt.publish(b"\xff"), "MQTT-1.5.3-1", 0x81),
        (mqtt.publish(b"\xed\xa0\x80"), "MQTT-1.5.3-1", 0x81),
        (mqtt.publish("t", qos=1, packet_id=0), "MQTT-2.3.1-1", 0x82),
        (mqtt.packet(mqtt.PUBLISH, b"\x00\x05abc"), "MQTT-3.3", 0x81),
        (mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + b"\0", 2), "MQTT-3.3", 0x81),
        (mqtt.packet(mqtt.PUBLISH, b"\0"), "MQTT-3.3", 0x81),
        (mqtt.packet(mqtt.PUBLISH, b""), "MQTT-3.3", 0x81),
    ],
)
def test_a_wrong_publish_of_older_versions_is_named(data, clause, code, speaks):
    assert refused(data, speaks) == (clause, code)


@pytest.mark.parametrize("properties", [b"", b"\x01\1"], ids=["without", "with"])
@pytest.mark.parametrize(
    ("what", "clause", "code"),
    [
        ({"flags": 6}, "MQTT-3.3.1-4", 0x81),
        ({"flags": 8}, "MQTT-3.3.1-2", 0x81),
        ({"topic": "t/+"}, "MQTT-3.3.2-2", 0x81),
        ({"topic": "#"}, "MQTT-3.3.2-2", 0x81),
        ({"topic": "a\0"}, "MQTT-3.3.2-2", 0x81),
        ({"topic": "a\x1f"}, "MQTT-3.3.2-2", 0x81),
        ({"topic": "a\ufffe"}, "MQTT-3.3.2-2", 0x81),
        ({"topic": "/".join("a" * (MAX_LEVELS + 1))}, "MQTT-3.3.2-2", 0x81),
        ({"topic": b"\xff"}, "MQTT-1.5.4-1", 0x81),
        ({"topic": ""}, "MQTT-3.3.2.1", 0x82),
        ({"qos": 1, "packet_id": 0}, "MQTT-2.2.1-3", 0x82),
        ({"qos": 2, "packet_id": 0}, "MQTT-2.2.1-3", 0x82),
    ],
)
def test_a_wrong_publish_of_mqtt_5_is_named(what, properties, clause, code):
    assert refused(publish5(properties, **what), of_five()) == (clause, code)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publish_of_mqtt_5_ends_behind_its_properties(qos):
    whole = publish5(EVERYTHING, payload=b"", qos=qos)[2:]
    for end in range(len(whole)):
        assert refused(mqtt.packet(mqtt.PUBLISH, whole[:end], qos << 1), of_five())[1] == 0x81, end
    read(mqtt.packet(mqtt.PUBLISH, whole, qos << 1), of_five())


def alias(number):
    return b"\x23" + number.to_bytes(2, "big")


def test_a_topic_may_be_a_number_that_was_given_to_it():
    """[MQTT-3.3.2-7] [MQTT-3.3.2-12]"""
    speaks = of_five(alias_maximum=2)
    assert read(publish5(alias(1), topic="a"), speaks).message == Message("a", b"x", 0)
    assert read(publish5(alias(2), topic="b"), speaks).message.topic == "b"
    assert read(publish5(alias(1) + b"\x01\1", topic="", qos=1), speaks).message == Message("a", b"x", 1, b"\x01\1")
    assert read(publish5(alias(1), topic="c"), speaks).message.topic == "c"
    assert read(publish5(alias(1), topic=""), speaks).message.topic == "c"
    assert read(publish5(alias(2), topic=""), speaks).message.topic == "b"


def test_a_number_that_is_none_of_those_is_refused():
    """[MQTT-3.3.2-8] [MQTT-3.3.2-9]"""
    assert refused(publish5(alias(0)), of_five(alias_maximum=2)) == ("MQTT-3.3.2-8", 0x94)
    assert refused(publish5(alias(3)), of_five(alias_maximum=2)) == ("MQTT-3.3.2-9", 0x94)
    assert refused(publish5(alias(1)), of_five(alias_maximum=0)) == ("MQTT-3.3.2-9", 0x94)
    assert refused(publish5(alias(1), topic=""), of_five(alias_maximum=2)) == ("MQTT-3.3.2.3.4", 0x82)


def test_a_number_belongs_to_a_topic_only_if_that_is_one():
    speaks = of_five(alias_maximum=2)
    assert refused(publish5(alias(1), topic="a/#"), speaks) == ("MQTT-3.3.2-2", 0x81)
    assert refused(publish5(alias(1), topic=""), speaks) == ("MQTT-3.3.2.3.4", 0x82)


def test_numbers_belong_to_their_connection():
    """[MQTT-3.3.2-7]"""
    read(publish5(alias(1)), of_five(alias_maximum=2))
    assert refused(publish5(alias(1), topic=""), of_five(alias_maximum=2)) == ("MQTT-3.3.2.3.4", 0x82)


def test_topics_with_numbers_hold_a_bounded_memory():
    speaks = of_five(alias_maximum=9)
    for _ in range(5):
        read(publish5(alias(1), topic="a" * (ALIAS_CHARACTERS - 1)), speaks)
    assert refused(publish5(alias(2), topic="bb"), speaks) == ("limits.packet", 0x97)


EXPIRIES = st.binary(min_size=4, max_size=4).map(lambda value: b"\x02" + value)


@given(
    properties=st.one_of(EXPIRIES, st.binary(max_size=6), st.binary(max_size=3).map(lambda more: b"\x02" + more)),
    topic=st.sampled_from(["t", "", "a/+", "mail/\u00fc", "a\x01"]),
    qos=st.integers(0, 2),
    cut=st.integers(0, 12),
)
def test_a_lifetime_and_nothing_else_is_read_the_short_way_as_the_long_way(properties, topic, qos, cut):
    data = publish5(properties, topic=topic, payload=b"12345", qos=qos, packet_id=7 if qos else 0)
    frame = mqtt.Packet(mqtt.PUBLISH, data[0] & 15, data[2 : len(data) - cut])

    def told():
        try:
            return of_five().publish(Frame(frame.kind, frame.flags, frame.body))
        except ProtocolError as error:
            return error.clause, error.code, str(error)

    short = told()
    with pytest.MonkeyPatch.context() as closed:
        closed.setattr(codec5, "_at_a_glance", lambda _body, _at: None)
        assert told() == short
