"""The properties of MQTT 5: each in each packet, once and twice, in and out of its bounds, whole and cut short."""

from __future__ import annotations

from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from broker.wire import properties as props
from broker.wire.properties import KINDS, MOST_USER_PROPERTIES, Bearer, Coding
from tests.support import mqtt_client as mqtt
from tests.unit.broker.wire.packets import (
    answer5,
    connect5,
    disconnect5,
    of_five,
    publish5,
    read,
    refused,
    subscribe5,
    unsubscribe5,
    will5,
)

SAMPLES = {
    Coding.OCTET: b"\1",
    Coding.WORD: b"\0\1",
    Coding.LONG: b"\0\0\0\1",
    Coding.VARINT: b"\1",
    Coding.BINARY: b"\0\1x",
    Coding.TEXT: b"\0\1x",
    Coding.PAIR: b"\0\1x\0\1y",
}
PACKETS: dict[Bearer, Any] = {
    Bearer.CONNECT: connect5,
    Bearer.WILL: will5,
    Bearer.PUBLISH: publish5,
    Bearer.ANSWER: lambda about: answer5(mqtt.PUBACK, 0, about),
    Bearer.SUBSCRIBE: lambda about: subscribe5(("a", 0), properties=about),
    Bearer.UNSUBSCRIBE: lambda about: unsubscribe5("a", properties=about),
    Bearer.DISCONNECT: lambda about: disconnect5(0, about),
}
ALONE = {props.AUTHENTICATION_DATA: b"\x15\0\1m"}  # what another one needs beside it
EACH = [(bearer, number) for bearer in PACKETS for number in KINDS]


def names(bearer_and_number):
    bearer, number = bearer_and_number
    return f"{bearer.name}-{KINDS[number].name}".replace(" ", "_")


def five():
    return of_five(alias_maximum=5, session_s=60)


def sample(number):
    return bytes([number]) + SAMPLES[KINDS[number].coding]


def allowed(bearer, number):
    return bearer in KINDS[number].bearers


@pytest.mark.parametrize("where", EACH, ids=names)
def test_a_property_stands_where_it_may(where):
    """§2.2.2.2, table 2-4."""
    bearer, number = where
    data = PACKETS[bearer](ALONE.get(number, b"") + sample(number))
    if allowed(bearer, number):
        read(data, five())
    else:
        filters = bearer in {Bearer.SUBSCRIBE, Bearer.UNSUBSCRIBE}
        assert refused(data, five()) == ("MQTT-2.2.2.2", 0x81 if filters else 0x82)


@pytest.mark.parametrize("where", [each for each in EACH if allowed(*each)], ids=names)
def test_a_property_stands_once(where):
    bearer, number = where
    data = PACKETS[bearer](ALONE.get(number, b"") + 2 * sample(number))
    if number == props.USER_PROPERTY:
        read(data, five())
    else:
        assert refused(data, five()) == ("MQTT-2.2.2.2", 0x82)


@pytest.mark.parametrize("where", EACH, ids=names)
def test_a_property_that_ends_early_is_malformed(where):
    bearer, number = where
    whole = sample(number)
    for end in range(1, len(whole)):
        assert refused(PACKETS[bearer](whole[:end]), five())[1] == 0x81


PAHO = {
    Bearer.CONNECT: PacketTypes.CONNECT,
    Bearer.WILL: PacketTypes.WILLMESSAGE,
    Bearer.PUBLISH: PacketTypes.PUBLISH,
    Bearer.ANSWER: PacketTypes.PUBACK,
    Bearer.SUBSCRIBE: PacketTypes.SUBSCRIBE,
    Bearer.UNSUBSCRIBE: PacketTypes.UNSUBSCRIBE,
    Bearer.DISCONNECT: PacketTypes.DISCONNECT,
}


@pytest.mark.parametrize("bearer", list(PAHO))
def test_the_table_is_the_one_that_others_have(bearer):
    theirs = PahoProperties(PAHO[bearer])
    assert {number for number, (_, packets) in theirs.properties.items() if PAHO[bearer] in packets} == {
        number for number in KINDS if allowed(bearer, number)
    } | ({props.SUBSCRIPTION_ID} if bearer is Bearer.PUBLISH else set())  # which only servers send [MQTT-3.3.4-6]
    codings = {
        "Byte": Coding.OCTET,
        "Two Byte Integer": Coding.WORD,
        "Four Byte Integer": Coding.LONG,
        "Variable Byte Integer": Coding.VARINT,
        "Binary Data": Coding.BINARY,
        "UTF-8 Encoded String": Coding.TEXT,
        "UTF-8 String Pair": Coding.PAIR,
    }
    assert {number: codings[theirs.types[kind]] for number, (kind, _) in theirs.properties.items()} == {
        number: kind.coding for number, kind in KINDS.items()
    }


@pytest.mark.parametrize("packet", list(PACKETS.values()))
def test_a_property_that_there_is_not_is_malformed(packet):
    for number in set(range(128)) - set(KINDS):
        assert refused(packet(bytes([number, 0])), five()) == ("MQTT-2.2.2.2", 0x81)


@pytest.mark.parametrize("about", [b"\x80\x00\1", b"\x81\x00\1", b"\xff\x7f\1", b"\x80\x80\x80\x80\1\1"])
def test_an_identifier_of_more_than_a_byte_is_malformed(about):
    for packet in PACKETS.values():
        assert refused(packet(about), five())[1] == 0x81


@pytest.mark.parametrize(
    ("packet", "about"),
    [
        (connect5, b"\x21\0\0"),
        (connect5, b"\x27\0\0\0\0"),
        (connect5, b"\x17\2"),
        (connect5, b"\x19\2"),
        (publish5, b"\x01\2"),
        (will5, b"\x01\xff"),
        (PACKETS[Bearer.SUBSCRIBE], b"\x0b\0"),
    ],
)
def test_a_value_out_of_its_bounds_is_a_protocol_error(packet, about):
    """§3.1.2.11 §3.3.2.3.2 §3.8.2.1.2"""
    assert refused(packet(about), five()) == ("MQTT-2.2.2.2", 0x82)


@pytest.mark.parametrize("topic", [b"a/+", b"#", b""])
def test_a_response_topic_is_a_topic_name(topic):
    """[MQTT-3.3.2-14]"""
    for packet in (publish5, will5):
        assert refused(packet(b"\x08" + mqtt.text(topic)), five()) == ("MQTT-3.3.2-14", 0x82)


@pytest.mark.parametrize(
    ("text", "clause"),
    [(b"\xff", "MQTT-1.5.4-1"), (b"\xed\xa0\x80", "MQTT-1.5.4-1"), (b"\0", "MQTT-1.5.4-2"), (b"\n", "MQTT-1.5.4")],
)
def test_texts_in_properties_are_texts(text, clause):
    said = mqtt.text(text)
    for about in (b"\x03" + said, b"\x08" + said, b"\x26" + said + b"\0\0", b"\x26\0\0" + said):
        assert refused(publish5(about), five()) == (clause, 0x81)
    assert refused(disconnect5(0, b"\x1f" + said), five()) == (clause, 0x81)
    read(publish5(b"\x09" + said), five())  # binary data may be anything


@pytest.mark.parametrize("value", [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455])
def test_a_subscription_identifier_has_any_of_its_sizes(value):
    about = b"\x0b" + _varint(value)
    (wanted,) = read(subscribe5(("a", 0), properties=about), five()).wanted
    assert wanted.identifier == value


def _varint(value):
    encoded = bytearray()
    while True:
        value, octet = divmod(value, 128)
        encoded.append(octet | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


@pytest.mark.parametrize(
    "value", [b"\x80\x00", b"\xff\x00", b"\x80\x80\x00", b"\x80\x80\x80\x00", b"\xff\xff\xff\xff\x01"]
)
def test_a_length_that_could_be_shorter_is_malformed(value):
    """[MQTT-1.5.5-1]"""
    data = subscribe5(("a", 0), properties=b"\x0b" + value)
    assert refused(data, five()) == ("MQTT-1.5.5-1", 0x81)
    assert refused(mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + value), five()) == ("MQTT-1.5.5-1", 0x81)


def test_properties_end_with_their_packet():
    assert refused(mqtt.packet(mqtt.PUBLISH, mqtt.text("t") + b"\x03\x01\1"), five()) == ("MQTT-4.13.1-1", 0x81)
    inside = mqtt.text("t") + b"\x01\x01\x01payload"  # what is missing may not be taken from the payload
    assert refused(mqtt.packet(mqtt.PUBLISH, inside), five()) == ("MQTT-4.13.1-1", 0x81)


def test_user_properties_are_bounded():
    some = sample(props.USER_PROPERTY) * MOST_USER_PROPERTIES
    assert read(publish5(some), five()).message.properties == some
    for packet in PACKETS.values():
        read(packet(some), five())
        assert refused(packet(some + sample(props.USER_PROPERTY)), five()) == ("limits.packet", 0x97)


@pytest.mark.parametrize(
    "number", [number for number in KINDS if KINDS[number].coding not in {Coding.BINARY, Coding.PAIR}]
)
def test_what_is_written_is_what_paho_reads(number):
    kind = KINDS[number]
    value = "ä" if kind.coding is Coding.TEXT else 1
    carried = next(each for each in (*PahoProperties(0).properties[number][1],))
    read_back = PahoProperties(carried)
    encoded = props.encode(number, value)
    read_back.unpack(_varint(len(encoded)) + encoded)
    told = getattr(read_back, read_back.getNameFromIdent(number).replace(" ", ""))
    assert told in (value, [value])
