"""MQTT 5: CONNECT, CONNACK, wills, keep alive, DISCONNECT and AUTH: sections 3.1, 3.2, 3.14, 3.15, 4.12."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5

DELAYED = [(mqtt5.SESSION_EXPIRY, 60)]
"""A session that lives on, so that a will is sent when its delay is over and not with the session."""


def refusal(client):
    """The reason code of the CONNACK after which the broker closed; None when it said nothing."""
    packets = client.until_closed()
    assert all(packet.kind != mqtt.CONNACK or packet.code for packet in packets)
    return packets[0].code if packets and packets[0].kind == mqtt.CONNACK else None


def test_a_connect_without_properties_is_let_in(broker):
    """[MQTT-2.2.2-1] [MQTT-3.1.4-2] [MQTT-3.1.4-5] [MQTT-3.2.2-1]: and one CONNACK, and only one [MQTT-3.2.0-2]"""
    client = broker.five()
    assert client.connack.body[0] in (0, 1)
    assert client.flush() == []


def test_what_the_broker_offers_is_told_truthfully(broker, topic):
    """[MQTT-3.2.2-9] [MQTT-3.2.2-13], §3.2.2.3.11 to 3.2.2.3.13: what is not named is offered"""
    client = broker.five()
    offer = client.connack
    assert offer.the(mqtt5.MAXIMUM_QOS) in (None, 0, 1)
    assert offer.the(mqtt5.RECEIVE_MAXIMUM) != 0
    for kind in (mqtt5.RETAIN_AVAILABLE, mqtt5.WILDCARDS, mqtt5.IDENTIFIERS, mqtt5.SHARED):
        assert offer.the(kind) in (None, 0, 1)
    if offer.the(mqtt5.RETAIN_AVAILABLE) != 0:
        client.tell(topic, b"kept", retain=True)
        client.subscribe(topic)
        assert [got.payload for got in client.published()] == [b"kept"]
        client.send(mqtt5.publish(topic, b"", retain=True))
        client.flush()
    if offer.the(mqtt5.WILDCARDS) != 0:
        assert client.subscribe(f"{topic}/+", f"{topic}/#") == [1, 1]
    if offer.the(mqtt5.IDENTIFIERS) != 0:
        assert client.subscribe(topic, having=[(mqtt5.SUBSCRIPTION_ID, 1)]) == [1]


def test_all_that_a_connect_may_hold_is_accepted(broker, topic):
    """§3.1.2.11, §3.1.3.2"""
    client = broker.five(
        will=(topic, b"gone", 1, False),
        having=[
            (mqtt5.SESSION_EXPIRY, 3600),
            (mqtt5.RECEIVE_MAXIMUM, 20),
            (mqtt5.PACKET_MAXIMUM, 100_000),
            (mqtt5.ALIAS_MAXIMUM, 10),
            (mqtt5.REQUEST_RESPONSE, 1),
            (mqtt5.REQUEST_PROBLEMS, 0),
            (mqtt5.USER, ("name", "value")),
            (mqtt5.USER, ("name", "value")),
        ],
        will_having=[
            (mqtt5.WILL_DELAY, 5),
            (mqtt5.PAYLOAD_FORMAT, 1),
            (mqtt5.MESSAGE_EXPIRY, 60),
            (mqtt5.CONTENT_TYPE, "text/plain"),
            (mqtt5.RESPONSE_TOPIC, "mail/answer"),
            (mqtt5.CORRELATION_DATA, b"\0\1"),
            (mqtt5.USER, ("name", "value")),
        ],
    )
    assert client.flush() == []


def test_every_property_of_a_connack_is_one_of_connack(broker):
    """§3.2.2.3, and none of them twice but user properties"""
    listed = [kind for kind, _ in broker.five(having=DELAYED).connack.properties if kind != mqtt5.USER]
    assert len(set(listed)) == len(listed)
    assert set(listed) <= {17, 18, 19, 21, 22, 26, 28, 31, 33, 34, 36, 37, 39, 40, 41, 42}


@pytest.mark.parametrize("flags", [8, 16, 32])
def test_will_qos_and_retain_need_a_will(broker, flags):
    """[MQTT-3.1.2-11] [MQTT-3.1.2-13]"""
    client = broker.raw5()
    client.send(broker.connect5(extra_flags=flags))
    assert refusal(client) in (None, 0x81, 0x82)


def test_will_qos_3_is_malformed(broker, topic):
    """[MQTT-3.1.2-12]"""
    client = broker.raw5()
    client.send(broker.connect5(will=(topic, b"", 3, False)))
    assert refusal(client) in (None, 0x81, 0x82)


def test_the_reserved_flag_must_be_zero(broker):
    """[MQTT-3.1.2-3]"""
    client = broker.raw5()
    client.send(broker.connect5(extra_flags=1))
    assert refusal(client) in (None, 0x81, 0x82)


def test_a_will_of_a_qos_that_is_not_offered_is_refused(broker, topic):
    """[MQTT-3.2.2-12]; where QoS 2 is offered it is taken"""
    offered = broker.five().connack.the(mqtt5.MAXIMUM_QOS)
    client = broker.raw5()
    client.send(broker.connect5(will=(topic, b"gone", 2, False)))
    if offered is None:
        assert client.expect(mqtt.CONNACK).code == 0
    else:
        assert refusal(client) == 0x9B


def test_an_unknown_version_is_answered_in_words_of_version_5(broker):
    """[MQTT-3.1.2-2]: 0x84, which a client of 3.1.1 reads as no acceptance either"""
    client = broker.raw5()
    client.send(broker.connect(level=6))
    answer = client.until_closed()
    assert [packet.kind for packet in answer] == [mqtt.CONNACK]
    assert answer[0].body[:2] in (b"\x00\x84", b"\x00\x01")


def test_a_wrong_password_is_answered_with_its_reason(broker):
    """[MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8]"""
    broker.five(clean=False, having=DELAYED).close()
    client = broker.raw5()
    client.send(broker.wrong_password5(clean=False))
    got = client.until_closed()
    assert [packet.kind for packet in got] == [mqtt.CONNACK]
    assert got[0].body[0] == 0
    assert got[0].code in (0x86, 0x87)


def test_what_follows_a_refused_connect_is_not_processed(broker, topic):
    """[MQTT-3.1.4-6]"""
    watcher = broker.five(1)
    watcher.subscribe(topic)
    client = broker.raw5()
    client.send(broker.wrong_password5() + mqtt5.publish(topic, b"x"))
    assert refusal(client) in (0x86, 0x87)
    assert watcher.flush() == []


def test_what_follows_a_connect_at_once_is_processed(broker, topic):
    """§3.1.4: a client need not wait for CONNACK"""
    client = broker.raw5()
    client.send(broker.connect5() + mqtt5.subscribe((topic, 1)) + mqtt5.publish(topic, b"early", qos=1, packet_id=9))
    kinds = [client.receive().kind for _ in range(4)]
    assert kinds[0] == mqtt.CONNACK
    assert set(kinds) == {mqtt.CONNACK, mqtt.SUBACK, mqtt.PUBACK, mqtt.PUBLISH}


def test_a_second_connect_is_a_protocol_error(broker):
    """[MQTT-3.1.0-2] [MQTT-4.13.1-1]"""
    client = broker.five()
    client.send(broker.connect5())
    assert broker.ends(client, 0x81, 0x82)


@pytest.mark.parametrize(
    "first",
    [
        mqtt.packet(mqtt.PINGREQ),
        mqtt5.publish("mail/x"),
        mqtt5.subscribe(("mail/x", 0)),
        mqtt5.disconnect(),
        mqtt.packet(mqtt5.AUTH, b"\x18\x00"),
    ],
)
def test_the_first_packet_must_be_connect(broker, first):
    """[MQTT-3.1.0-1]; and there is no DISCONNECT before CONNACK [MQTT-3.14.0-1]"""
    client = broker.raw5()
    client.send(first)
    assert [packet for packet in client.until_closed() if packet.kind == mqtt.DISCONNECT] == []


def test_an_assigned_client_id_is_told(broker):
    """[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]: also for a session that lives on"""
    first = broker.five(client_id="", clean=False, having=DELAYED)
    assigned = first.connack.the(mqtt5.ASSIGNED_CLIENT_ID)
    assert assigned
    first.close()
    assert broker.five(client_id=assigned, clean=False).present
    assert broker.five(client_id="mine").connack.the(mqtt5.ASSIGNED_CLIENT_ID) is None


def test_the_second_connection_is_told_to_the_first(broker, unlike):
    """[MQTT-3.1.4-3]"""
    unlike("mosquitto", "mosquitto 2.0.11 closes without a word")
    old = broker.five()
    new = broker.five()
    assert old.ending() == 0x8E
    assert new.flush() == []


@pytest.mark.parametrize("taken_by", [4, 5])
def test_versions_take_one_another_over(broker, topic, taken_by):
    """[MQTT-3.1.4-3]: the session is the same one, whichever version its device speaks"""
    connect = {4: broker.client, 5: broker.five}
    first = connect[9 - taken_by](clean=False, **({"having": DELAYED} if taken_by == 4 else {}))
    first.subscribe(topic)
    second = connect[taken_by](clean=False, **({"having": DELAYED} if taken_by == 5 else {}))
    assert second.present
    first.until_closed()
    broker.client(1).send(mqtt.publish(topic, b"x", qos=1))
    assert second.expect(mqtt.PUBLISH).payload == b"x"


def test_enhanced_authentication_is_refused(broker):
    """[MQTT-4.12.0-1]"""
    client = broker.raw5()
    client.send(
        broker.connect5(having=[(mqtt5.AUTHENTICATION_METHOD, "SCRAM-SHA-1"), (mqtt5.AUTHENTICATION_DATA, b"x")])
    )
    assert refusal(client) == 0x8C


def test_auth_without_a_method_is_a_protocol_error(broker):
    """[MQTT-4.12.0-6] [MQTT-4.12.1-1], §3.15"""
    client = broker.five()
    client.send(mqtt.packet(mqtt5.AUTH, b"\x19" + mqtt5.properties((mqtt5.AUTHENTICATION_METHOD, "x"))))
    assert broker.ends(client, 0x82, 0x8C)


def test_a_will_has_its_properties(broker, topic):
    """[MQTT-3.1.2-7] [MQTT-3.1.2-14] [MQTT-3.1.3-10] §3.1.3.2"""
    watcher = broker.five(1)
    watcher.subscribe(topic)
    sent = [
        (mqtt5.PAYLOAD_FORMAT, 1),
        (mqtt5.CONTENT_TYPE, "text/plain"),
        (mqtt5.RESPONSE_TOPIC, "mail/answer"),
        (mqtt5.CORRELATION_DATA, b"\0\xff"),
        (mqtt5.USER, ("b", "1")),
        (mqtt5.USER, ("a", "2")),
        (mqtt5.USER, ("b", "3")),
    ]
    broker.five(will=(topic, b"gone", 1, False), will_having=sent).close()
    got = watcher.expect(mqtt.PUBLISH)
    assert (got.payload, got.qos, got.retain) == (b"gone", 1, False)
    assert sorted(map(repr, got.properties)) == sorted(map(repr, sent))
    assert got.having(mqtt5.USER) == [("b", "1"), ("a", "2"), ("b", "3")]


def test_a_will_expires_as_a_message_does(broker, topic):
    """§3.1.3.2.4: the interval is that of the will message"""
    watcher = broker.five(1)
    watcher.subscribe(topic)
    broker.five(will=(topic, b"gone", 1, False), will_having=[(mqtt5.MESSAGE_EXPIRY, 1000)]).close()
    assert 990 <= watcher.expect(mqtt.PUBLISH).the(mqtt5.MESSAGE_EXPIRY) <= 1000


def test_a_will_is_discarded_by_disconnect(broker, topic):
    """[MQTT-3.1.2-10] [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-3.14.4-3]"""
    watcher = broker.five(1)
    watcher.subscribe(topic)
    client = broker.five(will=(topic, b"gone", 1, False))
    client.send(mqtt5.disconnect() + mqtt5.publish(topic, b"late"))
    assert client.receive() is None
    assert watcher.flush() == []


@pytest.mark.parametrize("code", [0x04, 0x80, 0x93])
def test_a_disconnect_with_another_reason_sends_the_will(broker, topic, code, unlike):
    """[MQTT-3.1.2-10], §3.14.2.1"""
    if code != 0x04:
        unlike("mosquitto", "mosquitto 2.0 sends the will for reason 0x04 alone")
    watcher = broker.five(1)
    watcher.subscribe(topic)
    client = broker.five(will=(topic, b"gone", 1, False))
    client.send(mqtt5.disconnect(code))
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"
    assert client.receive() is None


def test_a_delayed_will_is_sent_when_the_delay_is_over(broker, topic):
    """[MQTT-3.1.2-8]"""
    watcher = broker.five(1)
    watcher.subscribe(topic)
    broker.five(will=(topic, b"gone", 1, False), will_having=[(mqtt5.WILL_DELAY, 1)], having=DELAYED).close()
    assert watcher.flush() == []
    assert watcher.expect(mqtt.PUBLISH, timeout=30).payload == b"gone"


def test_a_delayed_will_is_sent_with_the_end_of_its_session(broker, topic):
    """[MQTT-3.1.2-8]: whichever comes first"""
    watcher = broker.five(1)
    watcher.subscribe(topic)
    broker.five(
        will=(topic, b"gone", 1, False),
        will_having=[(mqtt5.WILL_DELAY, 1000)],
        having=[(mqtt5.SESSION_EXPIRY, 1)],
    ).close()
    assert watcher.expect(mqtt.PUBLISH, timeout=30).payload == b"gone"


def test_a_delayed_will_of_a_session_without_a_life_of_its_own_is_sent_at_once(broker, topic, unlike):
    """[MQTT-3.1.2-8]: the session ends with the connection"""
    unlike("mosquitto", "mosquitto 2.0 waits for the delay although the session is over")
    watcher = broker.five(1)
    watcher.subscribe(topic)
    broker.five(will=(topic, b"gone", 1, False), will_having=[(mqtt5.WILL_DELAY, 1000)]).close()
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"


def test_a_delayed_will_is_not_sent_to_who_comes_back(broker, topic, pass_time):
    """[MQTT-3.1.3-9]"""
    broker.five(will=(topic, b"gone", 1, True), will_having=[(mqtt5.WILL_DELAY, 2)], having=DELAYED).close()
    again = broker.five(clean=False, having=DELAYED)
    assert again.present
    again.subscribe(topic)
    pass_time(4)
    assert again.flush() == []


def test_a_clean_start_ends_the_session_and_so_sends_its_delayed_will(broker, topic, unlike):
    """[MQTT-3.1.4-4] with [MQTT-3.1.2-8]"""
    unlike("mosquitto", "mosquitto 2.0 forgets the will with the session")
    watcher = broker.five(1)
    watcher.subscribe(topic)
    broker.five(will=(topic, b"gone", 1, False), will_having=[(mqtt5.WILL_DELAY, 1000)], having=DELAYED).close()
    assert not broker.five(clean=True).present
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"


def test_a_takeover_sends_a_will_without_delay(broker, topic, unlike):
    """[MQTT-3.1.4-3]: the network connection is closed, and the will is due"""
    unlike("mosquitto", "mosquitto 2.0 forgets the will where the session goes on")
    watcher = broker.five(1)
    watcher.subscribe(topic)
    old = broker.five(will=(topic, b"gone", 1, False), having=DELAYED)
    broker.five(clean=False, having=DELAYED)
    old.until_closed()
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"


def test_silence_is_told_as_the_reason(broker):
    """[MQTT-3.1.2-22] [MQTT-3.2.2-22]: the broker's own keep alive counts where it gave one"""
    client = broker.five(keepalive=1)
    if client.connack.the(mqtt5.SERVER_KEEP_ALIVE) is None:
        client.socket.settimeout(30)
        assert broker.ends(client, 0x8D)
    else:
        with pytest.raises(TimeoutError):
            client.receive(timeout=2)
        assert client.flush() == []


def test_a_reason_string_and_user_properties_of_a_disconnect_are_taken(broker):
    """§3.14.2.2"""
    client = broker.five()
    client.send(mqtt5.disconnect(0x80, having=[(mqtt5.REASON, "tired"), (mqtt5.USER, ("a", "b"))]))
    assert client.until_closed() == []


@pytest.mark.parametrize(
    "wrong",
    [
        mqtt.packet(mqtt.DISCONNECT, b"\x00\x00", 1),
        mqtt.packet(mqtt.DISCONNECT, b"\x03"),
        mqtt.packet(mqtt.DISCONNECT, b"\x00\x05"),
        mqtt.packet(mqtt.DISCONNECT, b"\x00" + mqtt5.properties((mqtt5.SESSION_EXPIRY, 1), (mqtt5.SESSION_EXPIRY, 1))),
        mqtt.packet(mqtt.DISCONNECT, b"\x00" + mqtt5.properties((mqtt5.ALIAS, 1))),
    ],
    ids=["flags", "no such reason", "no such length", "twice", "not of DISCONNECT"],
)
def test_a_wrong_disconnect_is_malformed_and_sends_the_will(broker, topic, wrong, unlike):
    """[MQTT-3.14.1-1], §3.14.2.2, [MQTT-4.13.1-1]"""
    if wrong == mqtt.packet(mqtt.DISCONNECT, b"\x03"):
        unlike("mosquitto", "mosquitto 2.0 takes any reason")
    watcher = broker.five(1)
    watcher.subscribe(topic)
    client = broker.five(will=(topic, b"gone", 1, False))
    client.send(wrong)
    assert broker.ends(client, 0x81, 0x82)
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"
