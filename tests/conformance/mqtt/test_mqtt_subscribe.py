"""SUBSCRIBE, UNSUBSCRIBE and topic filters: sections 3.8 to 3.11 and 4.7."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt


def test_each_filter_gets_its_code_in_order(broker, topic):
    """[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1]"""
    client = broker.client()
    client.send(mqtt.subscribe((f"{topic}/a", 0), (f"{topic}/b", 1), (f"{topic}/c", 0), packet_id=4242))
    suback = client.expect(mqtt.SUBACK)
    assert suback.packet_id == 4242
    assert list(suback.body[2:]) == [0, 1, 0]


def test_less_than_was_asked_for_may_be_granted_and_is_then_kept_to(broker, topic):
    """[MQTT-3.8.4-6] [MQTT-3.9.3-2]"""
    client, sender = broker.client(), broker.client(1)
    (granted,) = client.subscribe(topic, qos=2)
    assert granted in (0, 1, 2)
    sender.send(mqtt.publish(topic, b"x", qos=1))
    assert client.expect(mqtt.PUBLISH).qos == min(granted, 1)


def test_a_filter_that_cannot_be_is_refused_with_0x80_or_ends_the_connection(broker):
    """[MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1] [MQTT-3.9.3-2]"""
    for wrong in ("mail/#/x", "mail/x#", "mail/+x", "mail/x+/y", ""):
        client = broker.client()
        client.send(mqtt.subscribe((wrong, 0)))
        answer = client.receive()
        assert answer is None or answer.body[2:] == b"\x80"


@pytest.mark.parametrize(
    "wrong",
    [
        mqtt.subscribe(),
        mqtt.subscribe(("mail/x", 3)),
        mqtt.subscribe(("mail/x", 0x10)),
        mqtt.subscribe(("mail/x", 0), packet_id=0),
        mqtt.subscribe(("mail/\0", 0)),
        mqtt.subscribe((b"mail/\xff", 0)),
        mqtt.packet(mqtt.SUBSCRIBE, b"\x00\x01" + mqtt.text("mail/x"), 2),
        mqtt.unsubscribe(),
        mqtt.unsubscribe("mail/x", packet_id=0),
    ],
    ids=[
        "none",
        "QoS 3",
        "reserved bits",
        "id 0",
        "NUL",
        "not UTF-8",
        "no QoS",
        "unsubscribe none",
        "unsubscribe id 0",
    ],
)
def test_a_wrong_subscribe_ends_the_connection(broker, wrong):
    """[MQTT-3.8.3-3] [MQTT-3-8.3-4] [MQTT-2.3.1-1] [MQTT-1.5.3-1] [MQTT-1.5.3-2] [MQTT-3.10.3-2]"""
    client = broker.client()
    client.send(wrong)
    assert client.until_closed() == []


def test_subscribing_again_replaces_the_qos(broker, topic):
    """[MQTT-3.8.4-3]"""
    client = broker.client()
    assert client.subscribe(topic, qos=1) == [1]
    assert client.subscribe(topic, qos=0) == [0]
    client.send(mqtt.publish(topic, b"x", qos=1))
    assert [one.qos for one in client.flush() if one.kind == mqtt.PUBLISH] == [0]


def test_overlapping_filters_deliver_at_the_highest_qos(broker, topic, unlike):
    """[MQTT-3.3.5-1]"""
    unlike("mosquitto", "mosquitto 2.0 delivers one copy, at the QoS of the filter that it finds first")
    client = broker.client()
    client.subscribe(f"{topic}/#", qos=0)
    client.subscribe(f"{topic}/+", qos=1)
    client.subscribe(f"{topic}/a", qos=0)
    sender = broker.client(1)
    sender.send(mqtt.publish(f"{topic}/a", b"x", qos=1))
    sender.expect(mqtt.PUBACK)
    assert max(one.qos for one in client.flush()) == 1


def test_unsubscribe_ends_delivery_and_is_answered(broker, topic):
    """[MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]"""
    client = broker.client()
    client.subscribe(f"{topic}/a", f"{topic}/b")
    client.send(mqtt.unsubscribe(f"{topic}/a", f"{topic}/none", packet_id=77))
    assert client.expect(mqtt.UNSUBACK).packet_id == 77
    client.send(mqtt.publish(f"{topic}/a", b"a") + mqtt.publish(f"{topic}/b", b"b"))
    assert [one.payload for one in client.flush()] == [b"b"]


def test_unsubscribe_compares_filters_as_text(broker, topic):
    """[MQTT-3.10.4-1]: a wildcard does not stand for the filters it would match"""
    client = broker.client()
    client.subscribe(f"{topic}/a")
    client.send(mqtt.unsubscribe(f"{topic}/+"))
    client.expect(mqtt.UNSUBACK)
    client.send(mqtt.publish(f"{topic}/a", b"x"))
    assert client.expect(mqtt.PUBLISH).payload == b"x"


MATCHES = [
    ("a/b", "a/b", True),
    ("a/b", "a/b/", False),
    ("a/b", "A/b", False),
    ("a/+", "a/b", True),
    ("a/+", "a/", True),
    ("a/+", "a", False),
    ("a/+", "a/b/c", False),
    ("a/+/c", "a//c", True),
    ("+/b", "a/b", True),
    ("a/#", "a", True),
    ("a/#", "a/b/c", True),
    ("a/#", "ab", False),
    ("a/b/#", "a", False),
    ("+/+/#", "a/b", True),
    ("/a", "a", False),
    ("a b/ü", "a b/ü", True),
]


@pytest.mark.parametrize(("topic_filter", "name", "matching"), MATCHES)
def test_filters_match_as_they_should(broker, topic, topic_filter, name, matching):
    """[MQTT-4.7.1-1] [MQTT-4.7.1-3] [MQTT-4.7.3-4]"""
    client = broker.client()
    client.subscribe(f"{topic}/{topic_filter}")
    client.send(mqtt.publish(f"{topic}/{name}", b"x"))
    assert [one.topic for one in client.flush()] == ([f"{topic}/{name}"] if matching else [])


def test_a_retained_replay_matches_as_live_does(broker, topic):
    """[MQTT-3.3.1-6] with [MQTT-4.7.1-1] [MQTT-4.7.1-2]"""
    names = ["a", "a/", "a/b", "a/b/c", "ab", "/a"]
    client = broker.client()
    client.send(b"".join(mqtt.publish(f"{topic}/{name}", b"x", retain=True) for name in names))
    client.flush()
    for topic_filter, wanted in (
        ("a/#", {"a", "a/", "a/b", "a/b/c"}),
        ("a/+", {"a/", "a/b"}),
        ("+", {"a", "ab"}),
        ("+/+", {"a/", "a/b", "/a"}),
        ("+/b/#", {"a/b", "a/b/c"}),
    ):
        client.send(mqtt.subscribe((f"{topic}/{topic_filter}", 0)))
        got = {one.topic.removeprefix(f"{topic}/") for one in client.flush() if one.kind == mqtt.PUBLISH}
        assert got == wanted, topic_filter
        client.send(mqtt.unsubscribe(f"{topic}/{topic_filter}"))
        client.flush()
    client.send(b"".join(mqtt.publish(f"{topic}/{name}", b"", retain=True) for name in names))
    client.flush()


def test_wildcards_at_the_front_do_not_match_system_topics(broker):
    """[MQTT-4.7.2-1]: neither filter may ever bring one"""
    client = broker.client()
    client.send(mqtt.subscribe(("#", 0), ("+/broker/uptime", 0)))
    assert not [one for one in client.flush() if one.kind == mqtt.PUBLISH and one.topic.startswith("$")]
