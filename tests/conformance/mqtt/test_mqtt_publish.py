"""PUBLISH, its acknowledgement, retained messages and order: sections 3.3, 4.3 to 4.6."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt


@pytest.mark.parametrize(("sent", "granted"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_lower_qos_of_publisher_and_subscription_counts(broker, topic, sent, granted):
    """[MQTT-3.8.4-6]"""
    subscriber, sender = broker.client(), broker.client(1)
    assert subscriber.subscribe(topic, qos=granted) == [granted]
    sender.send(mqtt.publish(topic, b"x", qos=sent, packet_id=7))
    got = subscriber.expect(mqtt.PUBLISH)
    assert (got.qos, got.payload, got.dup, got.retain) == (min(sent, granted), b"x", False, False)
    assert [(one.kind, one.packet_id) for one in sender.flush()] == ([(mqtt.PUBACK, 7)] if sent else [])


def test_qos_1_is_acknowledged_with_its_packet_id(broker, topic):
    """[MQTT-4.3.2-2]: also when nobody subscribed"""
    client = broker.client()
    for packet_id in (1, 2, 65535):
        client.send(mqtt.publish(topic, b"x", qos=1, packet_id=packet_id))
        assert client.expect(mqtt.PUBACK).packet_id == packet_id


def test_acknowledgements_come_in_the_order_of_the_publishes(broker, topic):
    """[MQTT-4.6.0-2]: some wait for a durable session, some do not"""
    broker.client(1, clean=False).subscribe(f"{topic}/1")
    sender = broker.client()
    sender.send(b"".join(mqtt.publish(f"{topic}/{n % 2}", b"x", qos=1, packet_id=n) for n in range(1, 51)))
    assert [sender.expect(mqtt.PUBACK).packet_id for _ in range(50)] == list(range(1, 51))


def test_dup_of_the_publisher_is_not_passed_on(broker, topic):
    """[MQTT-3.3.1-3]"""
    subscriber = broker.client()
    subscriber.subscribe(topic)
    broker.client(1).send(mqtt.publish(topic, b"x", qos=1, dup=True))
    assert not subscriber.expect(mqtt.PUBLISH).dup


def test_dup_with_qos_0_is_a_violation(broker, topic, unlike):
    """[MQTT-3.3.1-2]"""
    unlike("mosquitto", "mosquitto 2.0 lets it pass")
    client = broker.client()
    client.send(mqtt.packet(mqtt.PUBLISH, mqtt.text(topic), 8))
    assert client.until_closed() == []


@pytest.mark.parametrize(
    "wrong",
    [
        mqtt.packet(mqtt.PUBLISH, mqtt.text("mail/x") + b"\x00\x01", 6),
        mqtt.publish("mail/+/x"),
        mqtt.publish("mail/#"),
        mqtt.publish(""),
        mqtt.publish("mail/\0"),
        mqtt.publish(b"mail/\xff"),
        mqtt.publish(b"mail/\xed\xa0\x80"),
        mqtt.publish("mail/x", qos=1, packet_id=0),
        mqtt.packet(mqtt.PUBLISH, b"\x00\x0amail"),
        mqtt.packet(mqtt.PUBLISH, b""),
    ],
    ids=["QoS 3", "+", "#", "empty", "NUL", "not UTF-8", "surrogate", "packet id 0", "cut", "nothing"],
)
def test_a_wrong_publish_ends_the_connection(broker, wrong):
    """[MQTT-3.3.1-4] [MQTT-3.3.2-2] [MQTT-4.7.3-1] [MQTT-1.5.3-1] [MQTT-1.5.3-2] [MQTT-2.3.1-1]"""
    client = broker.client()
    client.send(wrong)
    assert client.until_closed() == []


def test_payloads_of_all_kinds_arrive_unchanged(broker, topic):
    """[MQTT-3.3.2-1], §3.3.3: any bytes, also none"""
    subscriber, sender = broker.client(), broker.client(1)
    subscriber.subscribe(topic)
    for payload in (b"", b"\x00", bytes(range(256)), b"x" * 127, b"x" * 128, b"x" * 20_000):
        sender.send(mqtt.publish(topic, payload, qos=1))
        assert subscriber.expect(mqtt.PUBLISH).payload == payload
        sender.expect(mqtt.PUBACK)


def test_a_byte_order_mark_is_kept(broker, topic):
    """[MQTT-1.5.3-3]"""
    client = broker.client()
    client.subscribe(f"{topic}/\ufeffa")
    client.send(mqtt.publish(f"{topic}/\ufeffa", b"x"))
    assert client.expect(mqtt.PUBLISH).topic == f"{topic}/\ufeffa"


def test_a_retained_message_is_kept_and_flagged_for_a_new_subscription(broker, topic):
    """[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8]"""
    sender = broker.client(1)
    for payload in (b"first", b"second"):
        sender.send(mqtt.publish(topic, payload, qos=1, retain=True))
        sender.expect(mqtt.PUBACK)
    client = broker.client()
    client.subscribe(topic)
    assert [(one.payload, one.retain, one.qos) for one in client.flush()] == [(b"second", True, 1)]
    sender.send(mqtt.publish(topic, b"", retain=True))
    sender.flush()


def test_an_existing_subscription_sees_no_retain_flag(broker, topic):
    """[MQTT-3.3.1-9]"""
    client, sender = broker.client(), broker.client(1)
    client.subscribe(topic)
    sender.send(mqtt.publish(topic, b"x", retain=True) + mqtt.publish(topic, b"", retain=True))
    sender.flush()
    assert [(one.payload, one.retain) for one in client.flush()] == [(b"x", False), (b"", False)]


def test_an_empty_retained_message_removes_what_was_kept(broker, topic):
    """[MQTT-3.3.1-10] [MQTT-3.3.1-11]"""
    sender = broker.client(1)
    for payload in (b"x", b""):
        sender.send(mqtt.publish(topic, payload, qos=1, retain=True))
        sender.expect(mqtt.PUBACK)
    client = broker.client()
    client.subscribe(topic)
    assert client.flush() == []


def test_without_retain_nothing_is_kept_or_removed(broker, topic):
    """[MQTT-3.3.1-12]"""
    sender = broker.client(1)
    sender.send(mqtt.publish(topic, b"kept", retain=True) + mqtt.publish(topic, b"passing") + mqtt.publish(topic, b""))
    sender.flush()
    client = broker.client()
    client.subscribe(topic)
    assert [one.payload for one in client.flush()] == [b"kept"]
    sender.send(mqtt.publish(topic, b"", retain=True))
    sender.flush()


def test_subscribing_again_brings_the_retained_message_again(broker, topic):
    """[MQTT-3.8.4-3]"""
    client = broker.client()
    client.send(mqtt.publish(topic, b"x", retain=True))
    client.subscribe(topic)
    client.subscribe(topic)
    assert b"x" in [one.payload for one in client.flush()]
    client.send(mqtt.publish(topic, b"", retain=True))
    client.flush()


def test_retained_messages_of_many_topics_all_come(broker, topic):
    """[MQTT-3.3.1-6]: more than any window or packet holds"""
    client = broker.client()
    client.send(b"".join(mqtt.publish(f"{topic}/{n}", b"x" * 100, retain=True) for n in range(500)))
    client.flush()
    client.send(mqtt.subscribe((f"{topic}/+", 1)))
    topics = set()
    while len(topics) < 500:
        one = client.receive()
        if one.kind == mqtt.PUBLISH:
            client.send(mqtt.puback(one.packet_id) if one.qos else b"")
            topics.add(one.topic)
    assert topics == {f"{topic}/{n}" for n in range(500)}
    client.send(b"".join(mqtt.publish(f"{topic}/{n}", b"", retain=True) for n in range(500)))
    client.flush()


def test_order_is_kept_per_publisher_and_qos(broker, topic):
    """[MQTT-4.6.0-5] [MQTT-4.6.0-6]"""
    subscriber, sender = broker.client(), broker.client(1)
    subscriber.subscribe(topic)
    sender.send(b"".join(mqtt.publish(topic, b"%d" % n, qos=1, packet_id=n + 1) for n in range(300)))
    got = []
    while len(got) < 300:
        one = subscriber.expect(mqtt.PUBLISH)
        subscriber.send(mqtt.puback(one.packet_id))
        got.append(int(one.payload))
    assert got == list(range(300))


def test_what_was_not_acknowledged_comes_again_in_order_with_its_id(broker, topic):
    """[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]; and what was acknowledged does not"""
    subscriber, sender = broker.client(clean=False), broker.client(1)
    subscriber.subscribe(topic)
    for number in range(6):
        sender.send(mqtt.publish(topic, b"%d" % number, qos=1))
        sender.expect(mqtt.PUBACK)
    first = subscriber.flush(acknowledge=False)
    subscriber.send(mqtt.puback(first[1].packet_id))
    subscriber.flush(acknowledge=False)
    subscriber.close()
    again = broker.client(clean=False)
    got = again.flush()
    assert [(one.payload, one.packet_id, one.dup) for one in got] == [
        (one.payload, one.packet_id, True) for one in first if one is not first[1]
    ]
    assert again.flush() == []
    again.close()
    assert broker.client(clean=False).flush() == []


def test_a_takeover_loses_nothing(broker, topic):
    """[MQTT-3.1.4-2] [MQTT-4.4.0-1]: the new connection gets what the old one had not acknowledged, and what is new"""
    old, sender = broker.client(clean=False), broker.client(1)
    old.subscribe(topic)
    for number in range(3):
        sender.send(mqtt.publish(topic, b"%d" % number, qos=1))
        sender.expect(mqtt.PUBACK)
    first = old.flush(acknowledge=False)
    old.send(mqtt.puback(first[0].packet_id))
    old.flush(acknowledge=False)
    new = broker.client(clean=False)
    assert new.present
    assert old.receive() is None
    sender.send(mqtt.publish(topic, b"3", qos=1))
    sender.expect(mqtt.PUBACK)
    assert [(one.payload, one.dup) for one in new.flush()] == [(b"1", True), (b"2", True), (b"3", False)]


def test_packet_ids_in_flight_are_different_and_not_zero(broker, topic):
    """[MQTT-2.3.1-1] [MQTT-2.3.1-2] [MQTT-2.3.1-4]"""
    subscriber, sender = broker.client(), broker.client(1)
    subscriber.subscribe(topic)
    sender.send(b"".join(mqtt.publish(topic, b"x", qos=1, packet_id=n + 1) for n in range(15)))
    sender.flush()
    ids = [one.packet_id for one in subscriber.flush(acknowledge=False)]
    assert len(set(ids)) == len(ids) == 15
    assert 0 not in ids


def test_a_puback_for_nothing_harms_nothing(broker, topic):
    """§4.3.2: a client may acknowledge twice"""
    client = broker.client()
    client.send(mqtt.puback(4711))
    client.subscribe(topic)
    client.send(mqtt.publish(topic, b"x"))
    assert client.expect(mqtt.PUBLISH).payload == b"x"


def test_qos_2_is_served_right_or_ends_the_connection(broker, topic):
    """[MQTT-4.3.3-2], or refused: docs/decisions/0006"""
    client = broker.client()
    client.send(mqtt.publish(topic, b"x", qos=2, packet_id=3))
    answer = client.receive()
    if answer is not None:
        assert (answer.kind, answer.packet_id) == (mqtt.PUBREC, 3)
        client.send(mqtt.packet(mqtt.PUBREL, b"\x00\x03", 2))
        assert client.expect(mqtt.PUBCOMP).packet_id == 3
