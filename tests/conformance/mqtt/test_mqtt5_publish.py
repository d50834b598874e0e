"""MQTT 5: PUBLISH with all it carries, flow control, sizes and aliases: sections 3.3 to 3.7, 4.3, 4.9."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5

AN_HOUR = [(mqtt5.SESSION_EXPIRY, 3600)]


def test_what_a_message_carries_arrives_unchanged(broker, topic):
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"""
    client, sender = broker.five(), broker.five(1)
    client.subscribe(topic)
    sent = [
        (mqtt5.USER, ("z", "1")),
        (mqtt5.PAYLOAD_FORMAT, 1),
        (mqtt5.CONTENT_TYPE, "text/plain; charset=utf-8"),
        (mqtt5.USER, ("a", "2")),
        (mqtt5.RESPONSE_TOPIC, "mail/answers/ü"),
        (mqtt5.CORRELATION_DATA, bytes(range(256))),
        (mqtt5.USER, ("z", "")),
        (mqtt5.USER, ("", "é")),
    ]
    sender.tell(topic, "ü".encode(), having=sent)
    got = client.expect(mqtt.PUBLISH)
    assert got.payload == "ü".encode()
    assert sorted(map(repr, got.properties)) == sorted(map(repr, sent))
    assert got.having(mqtt5.USER) == [("z", "1"), ("a", "2"), ("z", ""), ("", "é")]


def test_a_client_of_an_older_version_gets_the_message_alone(broker, topic):
    """§3.3.1 of 3.1.1: there is no room for anything else"""
    client = broker.client()
    client.subscribe(topic)
    broker.five(1).tell(topic, b"x", having=[(mqtt5.USER, ("a", "b")), (mqtt5.MESSAGE_EXPIRY, 10)])
    assert client.expect(mqtt.PUBLISH).payload == b"x"


def test_a_message_of_an_older_version_has_no_properties(broker, topic):
    """§3.3.2.3"""
    client = broker.five()
    client.subscribe(topic)
    broker.client(1).send(mqtt.publish(topic, b"x"))
    got = client.expect(mqtt.PUBLISH)
    assert (got.payload, got.properties) == (b"x", [])


def test_a_retained_message_keeps_its_properties(broker, topic):
    """[MQTT-3.3.1-5] with [MQTT-3.3.2-17]"""
    sender = broker.five(1)
    sent = [(mqtt5.CONTENT_TYPE, "a/b"), (mqtt5.CORRELATION_DATA, b"c"), (mqtt5.USER, ("a", "b"))]
    sender.tell(topic, b"x", retain=True, having=sent)
    client = broker.five()
    client.subscribe(topic)
    (got,) = client.published()
    assert got.retain
    assert sorted(map(repr, got.properties)) == sorted(map(repr, sent))
    sender.tell(topic, b"", retain=True)


def test_a_retained_message_expires(broker, topic, pass_time):
    """[MQTT-3.3.2-5] [MQTT-3.3.2-6]: and tells how long it still lives"""
    sender = broker.five(1)
    sender.tell(f"{topic}/short", b"x", retain=True, having=[(mqtt5.MESSAGE_EXPIRY, 1)])
    sender.tell(f"{topic}/long", b"x", retain=True, having=[(mqtt5.MESSAGE_EXPIRY, 1000)])
    pass_time(4)
    client = broker.five()
    client.subscribe(f"{topic}/+")
    (got,) = client.published()
    assert got.topic == f"{topic}/long"
    assert 900 <= got.the(mqtt5.MESSAGE_EXPIRY) <= 997
    broker.five(1).tell(f"{topic}/long", b"", retain=True)


def test_an_expiry_is_passed_on_to_who_is_there(broker, topic):
    """[MQTT-3.3.2-6]"""
    client = broker.five()
    client.subscribe(topic)
    broker.five(1).tell(topic, b"x", having=[(mqtt5.MESSAGE_EXPIRY, 100)])
    assert client.expect(mqtt.PUBLISH).the(mqtt5.MESSAGE_EXPIRY) in (99, 100)


def test_an_acknowledgement_says_success(broker, topic):
    """[MQTT-3.4.2-1] [MQTT-2.2.1-5]: 0x00, or that nobody has subscribed"""
    client = broker.five()
    for packet_id in (1, 2, 65535):
        answer = client.tell(topic, b"x", packet_id=packet_id)
        assert (answer.packet_id, answer.code in (0x00, 0x10)) == (packet_id, True)
    client.subscribe(topic)
    client.send(mqtt5.publish(topic, b"x", qos=1))
    first, second = client.receive(), client.receive()  # the message and its acknowledgement, in either order
    answer = first if first.kind == mqtt.PUBACK else second
    assert (answer.kind, answer.code) == (mqtt.PUBACK, 0x00)


def test_what_a_device_may_not_publish_is_acknowledged_with_the_reason(broker):
    """[MQTT-3.4.2-1]"""
    device = broker.device()
    assert device.tell("mail/ann/msg/1", b"forged").code == 0x87
    assert device.tell("mail/ann/do/phone", b"mine").code in (0x00, 0x10)


def test_qos_2_is_served_once(broker, topic):
    """[MQTT-4.3.3-8] to [MQTT-4.3.3-12], [MQTT-3.2.2-9]: unless only less is offered"""
    sender, subscriber = broker.five(), broker.five(1)
    subscriber.subscribe(topic)
    if sender.connack.the(mqtt5.MAXIMUM_QOS) is not None:
        sender.send(mqtt5.publish(topic, b"x", qos=2, packet_id=3))
        assert broker.ends(sender, 0x9B)
        return
    for dup in (False, True):  # the second time it is the same message
        sender.send(mqtt5.publish(topic, b"x", qos=2, packet_id=3, dup=dup))
        answer = sender.expect(mqtt.PUBREC)
        assert (answer.packet_id, answer.code in (0x00, 0x10)) == (3, True)
    sender.send(mqtt5.answer(mqtt.PUBREL, 3))
    answer = sender.expect(mqtt.PUBCOMP)
    assert (answer.packet_id, answer.code) == (3, 0)
    sender.send(mqtt5.publish(topic, b"y", qos=2, packet_id=3))  # the id is free again
    sender.expect(mqtt.PUBREC)
    sender.send(mqtt5.answer(mqtt.PUBREL, 3))
    sender.expect(mqtt.PUBCOMP)
    assert [got.payload for got in subscriber.published()] == [b"x", b"y"]


def test_a_release_of_nothing_is_answered(broker):
    """[MQTT-4.3.3-11], §3.7.2.1: packet identifier not found"""
    client = broker.five()
    if client.connack.the(mqtt5.MAXIMUM_QOS) is not None:
        return  # there is no QoS 2
    client.send(mqtt5.answer(mqtt.PUBREL, 4711))
    answer = client.expect(mqtt.PUBCOMP)
    assert (answer.packet_id, answer.code in (0, 0x92)) == (4711, True)


@pytest.mark.parametrize("version", [4, 5])
def test_answers_to_qos_2_that_nobody_sent_are_let_come_to_an_end(broker, version):
    """[MQTT-4.3.3-4], §4.3.3: what a client has begun with another broker"""
    client = broker.five() if version == 5 else broker.client()
    client.send(mqtt.packet(mqtt.PUBREC, b"\x12\x67"))
    answer = client.expect(mqtt.PUBREL)
    assert (answer.packet_id, answer.flags) == (0x1267, 2)
    client.send(mqtt.packet(mqtt.PUBCOMP, b"\x12\x67"))
    assert client.flush() == []


@pytest.mark.parametrize("kind", [mqtt.PUBREC, mqtt.PUBCOMP])
def test_a_message_of_qos_1_is_not_answered_as_one_of_qos_2(broker, topic, kind):
    """[MQTT-4.3.2-5], §4.3.3"""
    client = broker.five()
    client.subscribe(topic)
    broker.five(1).tell(topic, b"x")
    client.send(mqtt5.answer(kind, client.expect(mqtt.PUBLISH).packet_id))
    assert broker.ends(client, 0x82)


def test_a_qos_2_message_survives_its_senders_connection(broker, topic):
    """[MQTT-4.3.3-10] [MQTT-4.4.0-1]: what is said again after a reconnection is still the same message"""
    sender, subscriber = broker.five(having=AN_HOUR), broker.five(1)
    subscriber.subscribe(topic)
    if sender.connack.the(mqtt5.MAXIMUM_QOS) is not None:
        return  # there is no QoS 2
    sender.send(mqtt5.publish(topic, b"x", qos=2, packet_id=3))
    sender.expect(mqtt.PUBREC)
    sender.close()
    again = broker.five(clean=False, having=AN_HOUR)
    again.send(mqtt5.publish(topic, b"x", qos=2, packet_id=3, dup=True))
    assert again.expect(mqtt.PUBREC).packet_id == 3
    again.send(mqtt5.answer(mqtt.PUBREL, 3))
    assert again.expect(mqtt.PUBCOMP).code == 0
    assert [got.payload for got in subscriber.published()] == [b"x"]


def test_acknowledgements_come_in_the_order_of_the_publishes(broker, topic):
    """[MQTT-4.6.0-2]"""
    sender = broker.five()
    most = sender.connack.the(mqtt5.RECEIVE_MAXIMUM) or 65535
    numbers = range(1, min(most, 50) + 1)
    sender.send(b"".join(mqtt5.publish(topic, b"x", qos=1, packet_id=n) for n in numbers))
    assert [sender.expect(mqtt.PUBACK).packet_id for _ in numbers] == list(numbers)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_no_more_is_in_flight_than_the_client_takes(broker, topic, window, unlike):
    """[MQTT-3.3.4-9]"""
    if window > 1:
        unlike("mosquitto", "mosquitto 2.0 sends more when several acknowledgements come at once")
    client, sender = broker.five(having=[(mqtt5.RECEIVE_MAXIMUM, window)]), broker.five(1)
    client.subscribe(topic)
    for n in range(12):
        sender.tell(topic, b"%d" % n)
    got = []
    while len(got) < 12:
        fresh = client.published(acknowledge=False)
        assert 0 < len(fresh) <= window
        got += [one.payload for one in fresh]
        client.send(b"".join(mqtt.puback(one.packet_id) for one in fresh))
    assert got == [b"%d" % n for n in range(12)]


def test_a_full_window_holds_up_nothing_but_messages(broker, topic):
    """[MQTT-3.3.4-10], §4.9"""
    client, sender = broker.five(having=[(mqtt5.RECEIVE_MAXIMUM, 1)]), broker.five(1)
    client.subscribe(topic)
    sender.tell(topic, b"1")
    sender.tell(topic, b"2")
    assert [got.payload for got in client.published(acknowledge=False)] == [b"1"]
    assert client.subscribe(f"{topic}/other") == [1]
    assert client.tell(f"{topic}/nobody", b"x").code in (0x00, 0x10)
    assert client.flush() == []


def test_more_in_flight_than_the_broker_takes_ends_the_connection(broker, topic, unlike):
    """[MQTT-3.3.4-7] [MQTT-3.3.4-8]: QoS 2 without releases, since a PUBACK makes room at once"""
    unlike("mosquitto", "mosquitto 2.0 takes them all the same")
    client = broker.five()
    most = client.connack.the(mqtt5.RECEIVE_MAXIMUM) or 65535
    if client.connack.the(mqtt5.MAXIMUM_QOS) is not None or most > 10_000:
        return  # there is nothing to count, or no test sends so many
    client.send(b"".join(mqtt5.publish(topic, b"x", qos=2, packet_id=n) for n in range(1, most + 2)))
    assert broker.ends(client, 0x93)


def test_what_is_too_large_for_the_client_is_not_sent(broker, topic):
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]: as if it were delivered"""
    client, sender = broker.five(having=[(mqtt5.PACKET_MAXIMUM, 60), *AN_HOUR]), broker.five(1)
    client.subscribe(topic)
    for payload in (b"small", b"x" * 60, b"small too"):
        sender.tell(topic, payload)
    assert [got.payload for got in client.published()] == [b"small", b"small too"]
    client.close()
    assert broker.five(clean=False).flush() == []


def test_properties_count_for_the_size(broker, topic):
    """[MQTT-3.1.2-24]"""
    client, sender = broker.five(having=[(mqtt5.PACKET_MAXIMUM, 60)]), broker.five(1)
    client.subscribe(topic)
    sender.tell(topic, b"x", having=[(mqtt5.USER, ("a", "b" * 60))])
    sender.tell(topic, b"y")
    assert [got.payload for got in client.published()] == [b"y"]


def test_what_is_too_large_for_the_broker_ends_the_connection(broker, topic):
    """[MQTT-3.2.2-15], §3.2.2.3.6"""
    client = broker.five()
    most = client.connack.the(mqtt5.PACKET_MAXIMUM)
    if most is None or most > 2**24:
        return  # nothing that a test can send is too large
    client.send(mqtt5.publish(topic, b"x" * most))
    assert broker.ends(client, 0x95)


def test_an_alias_stands_for_its_topic(broker, topic):
    """[MQTT-3.3.2-7] [MQTT-3.3.2-12]"""
    subscriber, sender = broker.five(1), broker.five()
    most = sender.connack.the(mqtt5.ALIAS_MAXIMUM) or 0
    assert most > 0
    subscriber.subscribe(f"{topic}/#")
    alias = [(mqtt5.ALIAS, most)]
    sender.tell(f"{topic}/a", b"1", having=alias)
    sender.tell("", b"2", having=alias)
    sender.tell(f"{topic}/b", b"3", having=alias)
    sender.tell("", b"4", having=alias)
    got = subscriber.published()
    assert [(one.topic, one.payload) for one in got] == [
        (f"{topic}/a", b"1"),
        (f"{topic}/a", b"2"),
        (f"{topic}/b", b"3"),
        (f"{topic}/b", b"4"),
    ]
    assert not any(one.having(mqtt5.ALIAS) for one in got)


def test_an_alias_ends_with_its_connection(broker, topic):
    """[MQTT-3.3.2-7]: also where the session lives on"""
    broker.five(having=AN_HOUR).tell(topic, b"1", having=[(mqtt5.ALIAS, 1)])
    again = broker.five(clean=False, having=AN_HOUR)
    assert again.present
    again.send(mqtt5.publish("", b"2", qos=1, having=[(mqtt5.ALIAS, 1)]))
    assert broker.ends(again, 0x82, 0x94)


@pytest.mark.parametrize("which", [0, 1, 65535], ids=["zero", "never told", "too large"])
def test_an_alias_that_is_none_ends_the_connection(broker, topic, which):
    """[MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-12], §3.3.4"""
    client = broker.five()
    assert client.connack.the(mqtt5.ALIAS_MAXIMUM) in range(65535)
    client.send(mqtt5.publish("" if which == 1 else topic, b"x", having=[(mqtt5.ALIAS, which)]))
    assert broker.ends(client, 0x81, 0x82, 0x94)


def test_a_topic_that_is_empty_needs_an_alias(broker):
    """§3.3.2.1"""
    client = broker.five()
    client.send(mqtt5.publish("", b"x"))
    assert broker.ends(client, 0x81, 0x82, 0x90)


def test_aliases_of_the_broker_stay_within_what_the_client_takes(broker, topic):
    """[MQTT-3.1.2-26] [MQTT-3.3.2-10] [MQTT-3.3.2-11 and 14 are about filters]; and each is told before it is used"""
    client, sender = broker.five(having=[(mqtt5.ALIAS_MAXIMUM, 2)]), broker.five(1)
    client.subscribe(f"{topic}/#")
    known = {}
    for n in range(30):
        name = ("box", "text", "last", "unread")[n % 4]
        sender.tell(f"{topic}/{name}", b"%d" % n)
        got = client.expect(mqtt.PUBLISH)
        client.send(mqtt.puback(got.packet_id))
        alias = got.the(mqtt5.ALIAS)
        assert alias is None or 1 <= alias <= 2
        if alias is not None and got.topic:
            known[alias] = got.topic
        assert (got.topic or known[alias], got.payload) == (f"{topic}/{name}", b"%d" % n)


def test_without_leave_the_broker_uses_no_alias(broker, topic):
    """[MQTT-3.1.2-27]"""
    client, sender = broker.five(), broker.five(1)
    client.subscribe(f"{topic}/#")
    for n in range(10):
        sender.tell(f"{topic}/box", b"%d" % n)
    got = client.published()
    assert {one.topic for one in got} == {f"{topic}/box"}
    assert not any(one.having(mqtt5.ALIAS) for one in got)


def test_a_message_may_be_of_any_size_that_the_broker_takes(broker, topic):
    """§3.3.3"""
    client, sender = broker.five(), broker.five(1)
    client.subscribe(topic)
    for size in (0, 1, 127, 128, 16_383, 16_384, 100_000):
        sender.tell(topic, b"x" * size)
        got = client.expect(mqtt.PUBLISH)
        client.send(mqtt.puback(got.packet_id))
        assert got.payload == b"x" * size


def test_a_reason_string_is_sent_only_where_it_is_wanted(broker):
    """[MQTT-3.1.2-29]: neither with PUBACK nor SUBACK; CONNACK and DISCONNECT may always have one"""
    device = broker.device(having=[(mqtt5.REQUEST_PROBLEMS, 0)])
    answer = device.tell("mail/ann/msg/1", b"forged")
    assert answer.code == 0x87
    assert {kind for kind, _ in answer.properties} == set()
    device.send(mqtt5.subscribe(("mail/ben/#", 1)))
    assert {kind for kind, _ in device.expect(mqtt.SUBACK).properties} == set()
