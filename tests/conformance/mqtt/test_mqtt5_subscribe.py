"""MQTT 5: SUBSCRIBE with its options and identifiers, UNSUBSCRIBE: sections 3.8 to 3.11, 4.7, 4.8."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5


def test_each_filter_gets_its_code_in_order(broker, topic):
    """[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7]"""
    client = broker.five()
    client.send(mqtt5.subscribe((f"{topic}/a", 0), (f"{topic}/b", 1), (f"{topic}/c", 0), packet_id=4242))
    suback = client.expect(mqtt.SUBACK)
    assert (suback.packet_id, suback.codes) == (4242, [0, 1, 0])


def test_qos_2_may_be_asked_for(broker, topic):
    """[MQTT-3.2.2-10] [MQTT-3.8.4-7]: what is granted is kept to [MQTT-3.8.4-8]"""
    client = broker.five()
    (granted,) = client.subscribe(topic, qos=2)
    most = client.connack.the(mqtt5.MAXIMUM_QOS)
    assert granted <= (2 if most is None else most)
    broker.five(1).tell(topic, b"x")
    assert client.expect(mqtt.PUBLISH).qos == min(granted, 1)


@pytest.mark.parametrize(("sent", "granted"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_lower_qos_of_publisher_and_subscription_counts(broker, topic, sent, granted):
    """[MQTT-3.8.4-8]"""
    client = broker.five()
    client.subscribe(topic, qos=granted)
    broker.five(1).send(mqtt5.publish(topic, b"x", qos=sent))
    got = client.expect(mqtt.PUBLISH)
    assert (got.qos, got.payload, got.dup, got.retain) == (min(sent, granted), b"x", False, False)


def test_what_a_device_may_not_read_is_refused_with_the_reason(broker, unlike):
    """[MQTT-3.8.4-6], §3.9.3: one filter of several"""
    unlike("mosquitto", "mosquitto 2.0 grants any filter and looks at the rules when it delivers")
    device = broker.device()
    assert device.subscribe("mail/ann/box", "mail/ben/box", "mail/ann/text") == [1, 0x87, 1]


def test_no_local_keeps_a_clients_own_messages_away(broker, topic):
    """[MQTT-3.8.3-3]"""
    client = broker.five()
    client.subscribe((f"{topic}/quiet", 1 | mqtt5.NO_LOCAL), (f"{topic}/loud", 1))
    client.tell(f"{topic}/quiet", b"mine")
    client.send(mqtt5.publish(f"{topic}/loud", b"mine too"))
    assert [got.payload for got in client.published()] == [b"mine too"]
    broker.five(1).tell(f"{topic}/quiet", b"another's")
    assert client.expect(mqtt.PUBLISH).payload == b"another's"


def test_no_local_counts_by_subscription(broker, topic):
    """[MQTT-3.8.3-3] [MQTT-3.3.4-2]: a filter without it that matches as well still brings the message"""
    client = broker.five()
    client.subscribe((f"{topic}/+", 1 | mqtt5.NO_LOCAL), (f"{topic}/a", 0))
    client.send(mqtt5.publish(f"{topic}/a", b"mine"))
    assert {got.payload for got in client.published()} == {b"mine"}


@pytest.mark.parametrize("as_published", [True, False])
def test_retain_is_sent_as_it_was_published_if_so_asked(broker, topic, as_published):
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13]"""
    client, sender = broker.five(), broker.five(1)
    client.subscribe((topic, 1 | (mqtt5.AS_PUBLISHED if as_published else 0)))
    sender.tell(topic, b"x", retain=True)
    sender.tell(topic, b"y")
    sender.tell(topic, b"", retain=True)
    assert [(got.payload, got.retain) for got in client.published()] == [
        (b"x", as_published),
        (b"y", False),
        (b"", as_published),
    ]


@pytest.mark.parametrize(
    ("handling", "first", "again"),
    [(0, [b"kept"], [b"kept"]), (mqtt5.IF_NEW, [b"kept"], []), (mqtt5.NEVER, [], [])],
    ids=["always", "if new", "never"],
)
def test_retained_messages_are_sent_when_they_are_asked_for(broker, topic, handling, first, again):
    """[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-3] [MQTT-3.8.4-4]"""
    sender = broker.five(1)
    sender.tell(topic, b"kept", retain=True)
    client = broker.five()
    for wanted in (first, again):
        client.send(mqtt5.subscribe((topic, 1 | handling)))
        assert [(got.payload, got.retain) for got in client.published()] == [(payload, True) for payload in wanted]
    sender.tell(topic, b"", retain=True)


def test_a_resumed_session_counts_as_subscribed_for_retain_handling_1(broker, topic):
    """[MQTT-3.3.1-10]: what saves a phone the replay at each connection"""
    sender, an_hour = broker.five(1), [(mqtt5.SESSION_EXPIRY, 3600)]
    sender.tell(topic, b"kept", retain=True)
    first = broker.five(having=an_hour)
    first.send(mqtt5.subscribe((topic, 1 | mqtt5.IF_NEW)))
    assert [got.payload for got in first.published()] == [b"kept"]
    first.close()
    again = broker.five(clean=False, having=an_hour)
    again.send(mqtt5.subscribe((topic, 1 | mqtt5.IF_NEW)))
    assert again.published() == []
    again.send(mqtt5.unsubscribe(topic) + mqtt5.subscribe((topic, 1 | mqtt5.IF_NEW)))
    assert [got.payload for got in again.published()] == [b"kept"]
    sender.tell(topic, b"", retain=True)


def test_subscribing_again_replaces_all_options(broker, topic, unlike):
    """[MQTT-3.8.4-3]"""
    unlike("mosquitto", "mosquitto 2.0 replaces the QoS alone")
    client = broker.five()
    client.subscribe((topic, 1 | mqtt5.NO_LOCAL), having=[(mqtt5.SUBSCRIPTION_ID, 3)])
    client.subscribe((topic, 0 | mqtt5.AS_PUBLISHED))
    client.send(mqtt5.publish(topic, b"x", qos=1))
    (got,) = client.published()
    assert (got.qos, got.having(mqtt5.SUBSCRIPTION_ID)) == (0, [])


@pytest.mark.parametrize("identifier", [1, 127, 128, 268_435_455])
def test_a_message_has_the_identifier_of_its_subscription(broker, topic, identifier):
    """[MQTT-3.3.4-3]; retained ones as well"""
    sender = broker.five(1)
    sender.tell(topic, b"kept", retain=True)
    client = broker.five()
    client.send(mqtt5.subscribe((topic, 1), having=[(mqtt5.SUBSCRIPTION_ID, identifier)]))
    (got,) = client.published()
    assert (got.payload, got.the(mqtt5.SUBSCRIPTION_ID)) == (b"kept", identifier)
    sender.tell(topic, b"", retain=True)
    assert client.expect(mqtt.PUBLISH).the(mqtt5.SUBSCRIPTION_ID) == identifier


def test_overlapping_filters_all_give_their_identifiers(broker, topic):
    """[MQTT-3.3.4-2] [MQTT-3.3.4-4] [MQTT-3.3.4-5]: in one copy or in several, at the highest QoS"""
    client = broker.five()
    client.subscribe((f"{topic}/#", 0), having=[(mqtt5.SUBSCRIPTION_ID, 1)])
    client.subscribe((f"{topic}/+", 1), having=[(mqtt5.SUBSCRIPTION_ID, 2)])
    client.subscribe((f"{topic}/a", 0))
    broker.five(1).tell(f"{topic}/a", b"x")
    got = client.published()
    assert sorted(one for each in got for one in each.having(mqtt5.SUBSCRIPTION_ID)) == [1, 2]
    assert max(one.qos for one in got) == 1


def test_what_a_publisher_says_of_identifiers_is_an_error(broker, topic, unlike):
    """[MQTT-3.3.4-6]"""
    unlike("mosquitto", "mosquitto 2.0 lets it pass")
    client = broker.five()
    client.send(mqtt5.publish(topic, b"x", having=[(mqtt5.SUBSCRIPTION_ID, 1)]))
    assert broker.ends(client, 0x81, 0x82)


def test_shared_subscriptions_are_right_or_refused(broker, topic):
    """§3.2.2.3.13 [MQTT-4.8.2-1]: refused with 0x9E where the broker said that it has none"""
    client = broker.five()
    codes = client.subscribe(f"$share/some/{topic}", topic)
    if client.connack.the(mqtt5.SHARED) == 0:
        assert codes == [0x9E, 1]
    else:
        assert codes == [1, 1]
        other = broker.five(1)
        other.subscribe(f"$share/some/{topic}")
        client.send(mqtt5.unsubscribe(topic))
        client.expect(mqtt.UNSUBACK)
        sender = broker.five(2)
        for n in range(10):
            sender.tell(topic, b"%d" % n)
        got = [one.payload for one in (*client.published(), *other.published())]
        assert sorted(got) == [b"%d" % n for n in range(10)]


def test_unsubscribe_is_answered_for_each_filter(broker, topic):
    """[MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2]"""
    client = broker.five()
    client.subscribe(f"{topic}/a", f"{topic}/b")
    client.send(mqtt5.unsubscribe(f"{topic}/a", f"{topic}/none", packet_id=77, having=[(mqtt5.USER, ("a", "b"))]))
    unsuback = client.expect(mqtt.UNSUBACK)
    assert (unsuback.packet_id, unsuback.codes) == (77, [0x00, 0x11])
    client.send(mqtt5.publish(f"{topic}/a", b"a") + mqtt5.publish(f"{topic}/b", b"b"))
    assert [got.payload for got in client.published()] == [b"b"]


@pytest.mark.parametrize("wrong", ["mail/#/x", "mail/x#", "mail/+x", "mail/x+/y", ""])
def test_a_filter_that_cannot_be_is_refused_or_ends_the_connection(broker, wrong):
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1]: 0x8F, or a DISCONNECT with a reason"""
    client = broker.five()
    client.send(mqtt5.subscribe((wrong, 0)))
    answer = client.receive()
    if answer.kind == mqtt.SUBACK:
        assert answer.codes == [0x8F]
    else:
        assert (answer.kind, answer.code in (0x81, 0x82, 0x8F)) == (mqtt.DISCONNECT, True)
        assert client.receive() is None


def test_user_properties_of_a_subscribe_are_taken(broker, topic):
    """§3.8.2.1.3"""
    client = broker.five()
    users = [(mqtt5.USER, ("a", "b")), (mqtt5.USER, ("a", "b"))]
    assert client.subscribe(topic, having=[(mqtt5.SUBSCRIPTION_ID, 9), *users]) == [1]
