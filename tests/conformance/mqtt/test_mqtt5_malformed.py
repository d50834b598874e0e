"""MQTT 5: what is no packet, or no packet at this place: sections 1.5, 2.1, 2.2, 4.13, and each packet's own."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5

ACKS = {"PUBACK": mqtt.PUBACK, "PUBREC": mqtt.PUBREC, "PUBREL": mqtt.PUBREL, "PUBCOMP": mqtt.PUBCOMP}


def with_properties(raw, payload=b"", *, flags=0):
    """A PUBLISH with bytes in the place of properties that nobody would write."""
    return mqtt.packet(mqtt.PUBLISH, mqtt.text("mail/x") + raw + payload, flags)


def connecting(raw, *, flags=2, payload=None):
    """A CONNECT with these properties; its login is put behind, so that nothing but them is wrong."""
    return lambda broker: mqtt.packet(
        mqtt.CONNECT, mqtt.text("MQTT") + bytes([5, flags | 0xC0]) + b"\0\0" + raw + login(broker, payload)
    )


def login(broker, payload):
    known = broker.credentials()
    return (
        mqtt.text(known["client_id"]) + (payload or b"") + mqtt.text(known["username"]) + mqtt.text(known["password"])
    )


PUBLISHES = {
    "QoS 3": mqtt.packet(mqtt.PUBLISH, mqtt.text("mail/x") + b"\0\1\0", 6),
    "DUP with QoS 0": mqtt.packet(mqtt.PUBLISH, mqtt.text("mail/x") + b"\0", 8),
    "packet id 0": mqtt5.publish("mail/x", qos=1, packet_id=0),
    "+": mqtt5.publish("mail/+"),
    "#": mqtt5.publish("mail/#"),
    "NUL": mqtt5.publish("mail/\0"),
    "not UTF-8": mqtt5.publish(b"mail/\xff"),
    "surrogate": mqtt5.publish(b"mail/\xed\xa0\x80"),
    "overlong": mqtt5.publish(b"mail/\xc0\x80"),
    "cut topic": mqtt.packet(mqtt.PUBLISH, b"\0\x0amail"),
    "no properties": mqtt.packet(mqtt.PUBLISH, mqtt.text("mail/x")),
    "nothing": mqtt.packet(mqtt.PUBLISH, b""),
    "properties cut": with_properties(b"\x05\x01"),
    "length of five bytes": with_properties(b"\xff\xff\xff\xff\x01"),
    "property cut": with_properties(b"\x03\x02\0\0"),
    "property longer than all": with_properties(b"\x02\x01"),
    "no such property": with_properties(b"\x02\x04\0"),
    "property of another packet": with_properties(mqtt5.properties((mqtt5.SESSION_EXPIRY, 1))),
    "format of 2": with_properties(mqtt5.properties((mqtt5.PAYLOAD_FORMAT, 2))),
    "format twice": with_properties(mqtt5.properties((mqtt5.PAYLOAD_FORMAT, 0), (mqtt5.PAYLOAD_FORMAT, 0))),
    "expiry twice": with_properties(mqtt5.properties((mqtt5.MESSAGE_EXPIRY, 1), (mqtt5.MESSAGE_EXPIRY, 1))),
    "alias twice": with_properties(mqtt5.properties((mqtt5.ALIAS, 1), (mqtt5.ALIAS, 1))),
    "content type twice": with_properties(mqtt5.properties((mqtt5.CONTENT_TYPE, ""), (mqtt5.CONTENT_TYPE, ""))),
    "content type not UTF-8": with_properties(mqtt5.properties((mqtt5.CONTENT_TYPE, b"\xff"))),
    "response topic with +": with_properties(mqtt5.properties((mqtt5.RESPONSE_TOPIC, "mail/+"))),
    "response topic with #": with_properties(mqtt5.properties((mqtt5.RESPONSE_TOPIC, "mail/#"))),
    "response topic not UTF-8": with_properties(mqtt5.properties((mqtt5.RESPONSE_TOPIC, b"mail/\xff"))),
    "user property not UTF-8": with_properties(mqtt5.properties((mqtt5.USER, ("a", b"\xff")))),
    "user property with NUL": with_properties(mqtt5.properties((mqtt5.USER, ("a", "\0")))),
    "half a user property": with_properties(b"\x04\x26\0\1a"),
    "identifier": with_properties(mqtt5.properties((mqtt5.SUBSCRIPTION_ID, 1))),
}
"""[MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-2.2.1-3] [MQTT-2.2.2-1] [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT-3.3.2-1]
[MQTT-3.3.2-2] [MQTT-3.3.2-13] [MQTT-3.3.2-14] [MQTT-3.3.2-19] [MQTT-3.3.4-6], §2.2.2.2"""

SUBSCRIBES = {
    "flags": mqtt.packet(mqtt.SUBSCRIBE, b"\0\1\0" + mqtt.text("mail/x") + b"\0", 0),
    "none": mqtt5.subscribe(),
    "id 0": mqtt5.subscribe(("mail/x", 0), packet_id=0),
    "QoS 3": mqtt5.subscribe(("mail/x", 3)),
    "reserved bits": mqtt5.subscribe(("mail/x", 0x40)),
    "retain handling 3": mqtt5.subscribe(("mail/x", 0x30)),
    "NUL": mqtt5.subscribe(("mail/\0", 0)),
    "not UTF-8": mqtt5.subscribe((b"mail/\xff", 0)),
    "no options": mqtt.packet(mqtt.SUBSCRIBE, b"\0\1\0" + mqtt.text("mail/x"), 2),
    "identifier 0": mqtt5.subscribe(("mail/x", 0), having=[(mqtt5.SUBSCRIPTION_ID, 0)]),
    "identifier twice": mqtt5.subscribe(("mail/x", 0), having=[(mqtt5.SUBSCRIPTION_ID, 1), (mqtt5.SUBSCRIPTION_ID, 1)]),
    "property of another packet": mqtt5.subscribe(("mail/x", 0), having=[(mqtt5.MESSAGE_EXPIRY, 1)]),
    "unsubscribe none": mqtt5.unsubscribe(),
    "unsubscribe id 0": mqtt5.unsubscribe("mail/x", packet_id=0),
    "unsubscribe flags": mqtt.packet(mqtt.UNSUBSCRIBE, b"\0\1\0" + mqtt.text("mail/x"), 0),
    "unsubscribe with identifier": mqtt5.unsubscribe("mail/x", having=[(mqtt5.SUBSCRIPTION_ID, 1)]),
    "unsubscribe NUL": mqtt5.unsubscribe("mail/\0"),
}
"""[MQTT-3.8.1-1] [MQTT-3.8.3-1] [MQTT-3.8.3-2] [MQTT-3.8.3-5] [MQTT-3.10.1-1] [MQTT-3.10.3-1] [MQTT-3.10.3-2]
[MQTT-2.2.1-3], §3.8.2.1.2"""

OTHERS = {
    "type 0": b"\x00\x00",
    "CONNACK": mqtt.packet(mqtt.CONNACK, b"\0\0\0"),
    "SUBACK": mqtt.packet(mqtt.SUBACK, b"\0\1\0\0"),
    "UNSUBACK": mqtt.packet(mqtt.UNSUBACK, b"\0\1\0\0"),
    "PINGRESP": mqtt.packet(mqtt.PINGRESP),
    "PINGREQ flags": b"\xc1\x00",
    "PINGREQ with a body": b"\xc0\x01x",
    "five bytes of length": b"\xc0\xff\xff\xff\xff\x01",
    **{f"{name} flags": mqtt.packet(kind, b"\0\1", 1) for name, kind in ACKS.items()},
    **{f"{name} without an id": mqtt.packet(kind, b"\0", 2 if name == "PUBREL" else 0) for name, kind in ACKS.items()},
    **{f"{name} of id 0": mqtt.packet(kind, b"\0\0", 2 if name == "PUBREL" else 0) for name, kind in ACKS.items()},
    **{f"{name} with a wrong reason": mqtt5.answer(kind, 1, 0x01) for name, kind in ACKS.items()},
    **{
        f"{name} with a wrong property": mqtt5.answer(kind, 1, 0x00, having=[(mqtt5.ALIAS, 1)])
        for name, kind in ACKS.items()
    },
    **{
        f"{name} with two reasons": mqtt5.answer(kind, 1, 0x00, having=[(mqtt5.REASON, "a"), (mqtt5.REASON, "b")])
        for name, kind in ACKS.items()
    },
}
"""[MQTT-2.1.3-1] [MQTT-3.12.4-1 is for what is right] [MQTT-2.2.1-3] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.1-1]
[MQTT-3.6.2-1] [MQTT-3.7.2-1], §2.1.4"""

CONNECTS = {
    "no properties": connecting(b"", payload=b""),
    "properties cut": connecting(b"\x7f"),
    "receive maximum 0": connecting(mqtt5.properties((mqtt5.RECEIVE_MAXIMUM, 0))),
    "packet maximum 0": connecting(mqtt5.properties((mqtt5.PACKET_MAXIMUM, 0))),
    "expiry twice": connecting(mqtt5.properties((mqtt5.SESSION_EXPIRY, 1), (mqtt5.SESSION_EXPIRY, 1))),
    "alias maximum twice": connecting(mqtt5.properties((mqtt5.ALIAS_MAXIMUM, 1), (mqtt5.ALIAS_MAXIMUM, 1))),
    "request problems 2": connecting(mqtt5.properties((mqtt5.REQUEST_PROBLEMS, 2))),
    "request response 2": connecting(mqtt5.properties((mqtt5.REQUEST_RESPONSE, 2))),
    "data without a method": connecting(mqtt5.properties((mqtt5.AUTHENTICATION_DATA, b"x"))),
    "no such property": connecting(b"\x02\x7f\0"),
    "property of another packet": connecting(mqtt5.properties((mqtt5.ALIAS, 1))),
    "a will's property": connecting(mqtt5.properties((mqtt5.WILL_DELAY, 1))),
    "user property not UTF-8": connecting(mqtt5.properties((mqtt5.USER, (b"\xff", "")))),
    "will topic with #": connecting(b"\0", flags=6, payload=b"\0" + mqtt.text("mail/#") + mqtt.text("")),
    "will topic not UTF-8": connecting(b"\0", flags=6, payload=b"\0" + mqtt.text(b"mail/\xff") + mqtt.text("")),
    "will topic empty": connecting(b"\0", flags=6, payload=b"\0" + mqtt.text("") + mqtt.text("")),
    "will with an alias": connecting(
        b"\0", flags=6, payload=mqtt5.properties((mqtt5.ALIAS, 1)) + mqtt.text("mail/x") + mqtt.text("")
    ),
    "will delay twice": connecting(
        b"\0",
        flags=6,
        payload=mqtt5.properties((mqtt5.WILL_DELAY, 1), (mqtt5.WILL_DELAY, 1)) + mqtt.text("mail/x") + mqtt.text(""),
    ),
    "will cut": connecting(b"\0", flags=6, payload=b"\x05"),
    "more behind it": lambda broker: longer(broker.connect5()),
}
"""[MQTT-3.1.2-11 and so on are in test_mqtt5_connect.py] [MQTT-3.1.3-1] [MQTT-3.1.3-11] [MQTT-3.1.4-1]
[MQTT-2.2.2-1], §3.1.2.11, §3.1.3.2"""


def longer(packet):
    """The same packet with a byte that nothing accounts for."""
    return bytes([packet[0], packet[1] + 1]) + packet[2:] + b"\0"


LAX = {
    "DUP with QoS 0",
    "format of 2",
    "response topic with +",
    "response topic with #",
    "identifier",
    "SUBACK",
    "UNSUBACK",
    "PINGRESP",
    "PINGREQ flags",
    "PINGREQ with a body",
    "PUBACK flags",
    "PUBREC flags",
    "PUBCOMP flags",
    "data without a method",
    *(f"{name} with a wrong reason" for name in ACKS),
}


def differs(unlike, case):
    if case in LAX:
        unlike("mosquitto", "mosquitto 2.0 lets it pass")


@pytest.mark.parametrize("case", PUBLISHES)
def test_a_wrong_publish_ends_the_connection_with_a_reason(broker, case, unlike):
    differs(unlike, case)
    client = broker.five()
    client.send(PUBLISHES[case])
    assert broker.ends(client, 0x81, 0x82, 0x90, 0x94, 0x99)


@pytest.mark.parametrize("case", SUBSCRIBES)
def test_a_wrong_subscribe_ends_the_connection_with_a_reason(broker, case, unlike):
    differs(unlike, case)
    client = broker.five()
    client.send(SUBSCRIBES[case])
    assert broker.ends(client, 0x81, 0x82, 0x8F)


@pytest.mark.parametrize("case", OTHERS)
def test_a_wrong_packet_of_another_kind_ends_the_connection_with_a_reason(broker, case, unlike):
    differs(unlike, case)
    client = broker.five()
    client.send(OTHERS[case])
    assert broker.ends(client, 0x81, 0x82)


@pytest.mark.parametrize("case", CONNECTS)
def test_a_wrong_connect_is_refused(broker, case, unlike):
    """A CONNACK with a reason may come before the end [MQTT-3.1.4-2]; an acceptance must not."""
    differs(unlike, case)
    client = broker.raw5()
    client.send(CONNECTS[case](broker))
    assert all(got.kind == mqtt.CONNACK and got.code in (0x81, 0x82, 0x90) for got in client.until_closed())


def test_what_was_wrong_harms_no_other_connection(broker, topic):
    """[MQTT-4.8.0-1] of 3.1.1, [MQTT-4.13.1-1]"""
    other = broker.five(1)
    other.subscribe(topic)
    for wrong in (PUBLISHES["no properties"], OTHERS["type 0"], SUBSCRIBES["QoS 3"]):
        client = broker.five()
        client.send(wrong)
        client.until_closed()
    broker.five().tell(topic, b"x")
    assert other.expect(mqtt.PUBLISH).payload == b"x"


def test_a_byte_order_mark_is_kept(broker, topic):
    """[MQTT-1.5.4-3]"""
    client = broker.five()
    client.subscribe(f"{topic}/\ufeffa")
    client.send(mqtt5.publish(f"{topic}/\ufeffa", b"x", having=[(mqtt5.USER, ("\ufeff", "\ufeff"))]))
    got = client.expect(mqtt.PUBLISH)
    assert (got.topic, got.the(mqtt5.USER)) == (f"{topic}/\ufeffa", ("\ufeff", "\ufeff"))


def test_acknowledgements_may_be_long_or_short(broker, topic):
    """§3.4.2.1: without a reason, with one, with properties"""
    client, sender = broker.five(having=[(mqtt5.SESSION_EXPIRY, 60)]), broker.five(1)
    client.subscribe(topic)
    for tail in (b"", b"\0", b"\0\0", b"\x10" + mqtt5.properties((mqtt5.REASON, "why"), (mqtt5.USER, ("a", "b")))):
        sender.tell(topic, b"x")
        got = client.expect(mqtt.PUBLISH)
        client.send(mqtt.packet(mqtt.PUBACK, got.packet_id.to_bytes(2, "big") + tail))
    assert client.flush() == []
    client.close()
    assert broker.five(clean=False).flush() == []


def test_pingreq_is_answered(broker):
    """[MQTT-3.12.4-1]"""
    client = broker.five()
    client.send(mqtt.packet(mqtt.PINGREQ))
    assert client.receive() == mqtt5.Packet(mqtt.PINGRESP, 0, b"")
