"""MQTT 5: how long a session lives, and what waits in it: sections 3.1.2.11, 3.14.2.2.2, 4.1, 4.4."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5

AN_HOUR = [(mqtt5.SESSION_EXPIRY, 3600)]


def test_a_session_without_an_expiry_ends_with_its_connection(broker, topic):
    """§3.1.2.11.2 [MQTT-3.1.2-5]"""
    broker.five(clean=False).subscribe(topic)
    assert not broker.five(clean=False).present


def test_a_session_with_an_expiry_is_resumed(broker, topic):
    """[MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.2.2-3] [MQTT-4.1.0-1]"""
    first = broker.five(clean=True, having=AN_HOUR)
    assert not first.present
    first.subscribe(topic)
    first.close()
    sender = broker.five(1)
    for n in range(20):
        sender.tell(topic, b"%d" % n, packet_id=n + 1)
    again = broker.five(clean=False, having=AN_HOUR)
    assert again.present
    assert [got.payload for got in again.published()] == [b"%d" % n for n in range(20)]


def test_a_clean_start_discards_the_session_but_begins_one_that_lives(broker, topic):
    """[MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-3.1.4-4]"""
    broker.five(clean=False, having=AN_HOUR).subscribe(f"{topic}/old")
    clean = broker.five(clean=True, having=AN_HOUR)
    assert not clean.present
    clean.subscribe(f"{topic}/new")
    clean.close()
    sender = broker.five(1)
    sender.tell(f"{topic}/old", b"old")
    sender.tell(f"{topic}/new", b"new")
    again = broker.five(clean=False, having=AN_HOUR)
    assert again.present
    assert [got.payload for got in again.published()] == [b"new"]


def test_a_session_expires(broker, topic, pass_time):
    """[MQTT-3.1.2-23] [MQTT-4.1.0-2]"""
    away = broker.five(having=[(mqtt5.SESSION_EXPIRY, 1)])
    away.subscribe(topic)
    away.close()
    pass_time(4)
    again = broker.five(clean=False, having=AN_HOUR)
    assert not again.present
    broker.five(1).tell(topic, b"x")
    assert again.flush() == []


def test_a_session_does_not_expire_while_its_client_is_there(broker, topic, pass_time):
    """§3.1.2.11.2: it is counted from the end of the connection"""
    client = broker.five(having=[(mqtt5.SESSION_EXPIRY, 1)])
    client.subscribe(topic)
    pass_time(3)
    broker.five(1).tell(topic, b"x")
    assert client.expect(mqtt.PUBLISH).payload == b"x"


def test_disconnect_shortens_a_session(broker, topic):
    """§3.14.2.2.2"""
    first = broker.five(having=AN_HOUR)
    first.subscribe(topic)
    first.send(mqtt5.disconnect(having=[(mqtt5.SESSION_EXPIRY, 0)]))
    assert first.receive() is None
    assert not broker.five(clean=False).present


def test_disconnect_prolongs_a_session(broker, topic, pass_time):
    """§3.14.2.2.2"""
    first = broker.five(having=[(mqtt5.SESSION_EXPIRY, 1)])
    first.subscribe(topic)
    first.send(mqtt5.disconnect(having=AN_HOUR))
    assert first.receive() is None
    pass_time(4)
    assert broker.five(clean=False).present


def test_disconnect_may_not_give_a_life_to_a_session_that_had_none(broker):
    """§3.14.2.2.2: a protocol error"""
    client = broker.five()
    client.send(mqtt5.disconnect(having=AN_HOUR))
    assert broker.ends(client, 0x82)
    assert not broker.five(clean=False).present


def test_coming_back_gives_the_session_the_new_expiry(broker, topic):
    """§3.1.2.11.2"""
    broker.five(having=AN_HOUR).subscribe(topic)
    again = broker.five(clean=False)
    assert again.present
    again.close()
    assert not broker.five(clean=False).present


def test_what_was_not_acknowledged_comes_again_in_order_with_its_id(broker, topic):
    """[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]: at the next connection, and only there"""
    subscriber, sender = broker.five(having=AN_HOUR), broker.five(1)
    subscriber.subscribe(topic)
    for n in range(6):
        sender.tell(topic, b"%d" % n)
    first = subscriber.published(acknowledge=False)
    subscriber.send(mqtt.puback(first[1].packet_id))
    assert subscriber.published(acknowledge=False) == []
    subscriber.close()
    again = broker.five(clean=False, having=AN_HOUR)
    got = again.published()
    assert [(one.payload, one.packet_id, one.dup) for one in got] == [
        (one.payload, one.packet_id, True) for one in first if one is not first[1]
    ]
    assert again.flush() == []


def test_a_refused_message_does_not_come_again(broker, topic):
    """[MQTT-4.4.0-2]: a PUBACK with a reason of 0x80 or more ends the delivery as well"""
    subscriber = broker.five(having=AN_HOUR)
    subscriber.subscribe(topic)
    broker.five(1).tell(topic, b"x")
    got = subscriber.expect(mqtt.PUBLISH)
    subscriber.send(mqtt5.answer(mqtt.PUBACK, got.packet_id, 0x97, having=[(mqtt5.REASON, "full")]))
    assert subscriber.flush() == []
    subscriber.close()
    assert broker.five(clean=False, having=AN_HOUR).flush() == []


def test_subscriptions_keep_their_options_and_identifier(broker, topic):
    """[MQTT-4.1.0-1] §4.1: they are part of the session"""
    first = broker.five(having=AN_HOUR)
    options = 1 | mqtt5.NO_LOCAL | mqtt5.AS_PUBLISHED
    first.subscribe((topic, options), having=[(mqtt5.SUBSCRIPTION_ID, 77)])
    first.close()
    again = broker.five(clean=False, having=AN_HOUR)
    again.tell(topic, b"mine")
    broker.five(1).tell(topic, b"x", retain=True)
    got = again.expect(mqtt.PUBLISH)
    assert (got.payload, got.retain, got.the(mqtt5.SUBSCRIPTION_ID)) == (b"x", True, 77)
    again.send(mqtt.puback(got.packet_id))
    broker.five(1).tell(topic, b"", retain=True)


def test_properties_wait_with_their_message(broker, topic):
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20]"""
    away = broker.five(having=AN_HOUR)
    away.subscribe(topic)
    away.close()
    sent = [
        (mqtt5.PAYLOAD_FORMAT, 1),
        (mqtt5.CONTENT_TYPE, "a/b"),
        (mqtt5.RESPONSE_TOPIC, "mail/x"),
        (mqtt5.CORRELATION_DATA, b"\0"),
        (mqtt5.USER, ("k", "v")),
    ]
    broker.five(1).tell(topic, b"x", having=sent)
    (got,) = broker.five(clean=False).published()
    assert sorted(map(repr, got.properties)) == sorted(map(repr, sent))


def test_a_message_expires_while_it_waits(broker, topic, pass_time):
    """[MQTT-3.3.2-5]"""
    away = broker.five(having=AN_HOUR)
    away.subscribe(topic)
    away.close()
    sender = broker.five(1)
    sender.tell(topic, b"short", having=[(mqtt5.MESSAGE_EXPIRY, 1)])
    sender.tell(topic, b"long", having=[(mqtt5.MESSAGE_EXPIRY, 1000)])
    pass_time(4)
    (got,) = broker.five(clean=False).published()
    assert got.payload == b"long"
    assert got.the(mqtt5.MESSAGE_EXPIRY) <= 997


def test_a_message_expires_for_a_client_of_an_older_version_too(broker, topic, pass_time):
    """[MQTT-3.3.2-5]: it is the broker that drops it"""
    away = broker.client(clean=False)
    away.subscribe(topic)
    away.close()
    sender = broker.five(1)
    sender.tell(topic, b"short", having=[(mqtt5.MESSAGE_EXPIRY, 1)])
    sender.tell(topic, b"long")
    pass_time(4)
    assert [got.payload for got in broker.client(clean=False).flush()] == [b"long"]


def test_a_zero_expiry_of_a_session_is_as_good_as_none(broker, topic):
    """§3.1.2.11.2"""
    broker.five(having=[(mqtt5.SESSION_EXPIRY, 0)]).subscribe(topic)
    assert not broker.five(clean=False).present


def test_a_session_may_be_asked_to_live_for_ever(broker):
    """§3.1.2.11.2, §3.2.2.3.2: what the broker gives instead it tells"""
    client = broker.five(having=[(mqtt5.SESSION_EXPIRY, 0xFFFF_FFFF)])
    told = client.connack.the(mqtt5.SESSION_EXPIRY)
    assert told is None or told > 0
    client.close()
    assert broker.five(clean=False).present


@pytest.mark.parametrize("clean", [True, False])
def test_a_session_of_3_1_1_is_one_of_5(broker, topic, clean):
    """§3.1.2.4 of both: clean session is clean start with an expiry of zero, else the session stays"""
    old = broker.client(clean=clean)
    old.subscribe(topic)
    old.close()
    assert broker.five(clean=False).present is not clean
