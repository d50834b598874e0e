"""CONNECT, CONNACK, DISCONNECT, PINGREQ: sections 3.1, 3.2, 3.12, 3.14. Each test names its statement."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt


def refused(client, code=None):
    """Whether the connection ended, with this CONNACK code or, for None, without any acceptance."""
    packets = client.until_closed()
    if code is None:
        return all(packet.kind != mqtt.CONNACK or packet.body[1] for packet in packets)
    return [packet.body for packet in packets] == [bytes([0, code])]


@pytest.mark.parametrize(
    "first",
    [mqtt.packet(mqtt.PINGREQ), mqtt.publish("mail/x"), mqtt.subscribe(("mail/x", 0)), mqtt.packet(mqtt.DISCONNECT)],
)
def test_the_first_packet_must_be_connect(broker, first):
    """[MQTT-3.1.0-1]"""
    client = broker.raw()
    client.send(first)
    assert refused(client)


def test_a_second_connect_is_a_violation(broker):
    """[MQTT-3.1.0-2]"""
    client = broker.client()
    client.send(broker.connect())
    assert client.until_closed() == []


def test_an_unknown_protocol_name_is_not_served(broker):
    """[MQTT-3.1.2-1]"""
    client = broker.raw()
    client.send(broker.connect(name="MQTX"))
    assert refused(client)


@pytest.mark.parametrize("level", [2, 99])
def test_an_unknown_protocol_level_is_told_so(broker, level):
    """[MQTT-3.1.2-2], in the words of the newest version that the client may speak: 1, or from MQTT 5 on 0x84"""
    client = broker.raw()
    client.send(broker.connect(level=level))
    [told] = client.until_closed()
    assert (told.kind, told.body[0], told.body[1] in (1, 0x84)) == (mqtt.CONNACK, 0, True)


def test_the_reserved_flag_must_be_zero(broker):
    """[MQTT-3.1.2-3]"""
    client = broker.raw()
    client.send(broker.connect(extra_flags=1))
    assert refused(client)


def test_a_session_is_resumed(broker, topic):
    """[MQTT-3.1.2-4] [MQTT-3.2.2-2]"""
    first = broker.client(clean=False)
    assert not first.present
    first.subscribe(topic)
    first.send(mqtt.packet(mqtt.DISCONNECT))
    first.until_closed()
    again = broker.client(clean=False)
    assert again.present
    again.send(mqtt.publish(topic, b"subscribed before", qos=1))
    assert b"subscribed before" in [got.payload for got in again.flush() if got.kind == mqtt.PUBLISH]


def test_messages_are_kept_for_a_session_that_is_away(broker, topic):
    """[MQTT-3.1.2-5] and, since they were not retained for it, RETAIN is 0 [MQTT-3.3.1-9]"""
    away = broker.client(clean=False)
    away.subscribe(topic)
    away.close()
    sender = broker.client(1)
    for number in range(20):
        sender.send(mqtt.publish(topic, b"%d" % number, qos=1, packet_id=number + 1, retain=number == 7))
        sender.expect(mqtt.PUBACK)
    got = broker.client(clean=False).flush()
    assert [packet.payload for packet in got] == [b"%d" % number for number in range(20)]
    assert not any(packet.retain or packet.dup for packet in got)
    sender.send(mqtt.publish(topic, b"", retain=True))
    sender.flush()


def test_a_clean_session_discards_what_was_before(broker, topic):
    """[MQTT-3.1.2-6] [MQTT-3.2.2-1]"""
    before = broker.client(clean=False)
    before.subscribe(topic)
    before.close()
    clean = broker.client(clean=True)
    assert not clean.present
    clean.close()
    after = broker.client(clean=False)
    assert not after.present
    sender = broker.client(1)
    sender.send(mqtt.publish(topic, b"x", qos=1))
    sender.expect(mqtt.PUBACK)
    assert after.flush() == []


def test_a_will_is_sent_when_the_connection_breaks(broker, topic):
    """[MQTT-3.1.2-8]"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    broker.client(will=(topic, b"\x00gone\xff", 1, False)).close()
    got = watcher.expect(mqtt.PUBLISH)
    assert (got.payload, got.qos, got.retain) == (b"\x00gone\xff", 1, False)


def test_a_will_is_sent_after_a_protocol_violation(broker, topic):
    """[MQTT-3.1.2-8], §3.1.2.5: the server closes because of an error"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    broker.client(will=(topic, b"gone", 0, False)).send(mqtt.packet(mqtt.PUBLISH, b""))
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"


def test_a_will_is_discarded_by_disconnect(broker, topic):
    """[MQTT-3.1.2-10] [MQTT-3.14.4-3]"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    client = broker.client(will=(topic, b"gone", 1, False))
    client.send(mqtt.packet(mqtt.DISCONNECT))
    assert client.receive() is None
    assert watcher.flush() == []


@pytest.mark.parametrize("retain", [False, True])
def test_a_will_is_retained_when_it_says_so(broker, topic, retain):
    """[MQTT-3.1.2-16] [MQTT-3.1.2-17]"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    broker.client(will=(topic, b"gone", 1, retain)).close()
    watcher.expect(mqtt.PUBLISH)
    late = broker.client(2)
    late.subscribe(topic)
    assert [got.payload for got in late.flush()] == ([b"gone"] if retain else [])
    late.send(mqtt.publish(topic, b"", retain=True))
    late.flush()


def test_a_takeover_sends_the_will(broker, topic):
    """[MQTT-3.1.2-8] [MQTT-3.1.4-2]"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    old = broker.client(will=(topic, b"gone", 1, False))
    broker.client()
    assert old.until_closed() == []
    assert watcher.expect(mqtt.PUBLISH).payload == b"gone"


@pytest.mark.parametrize("flags", [8, 16, 32])
def test_will_qos_and_retain_need_a_will(broker, flags):
    """[MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15]"""
    client = broker.raw()
    client.send(broker.connect(extra_flags=flags))
    assert refused(client)


def test_will_qos_3_is_a_violation(broker, topic):
    """[MQTT-3.1.2-14]"""
    client = broker.raw()
    client.send(broker.connect(will=(topic, b"", 3, False)))
    assert refused(client)


def test_a_password_needs_a_username(broker):
    """[MQTT-3.1.2-22]"""
    client = broker.raw()
    client.send(mqtt.connect(password="x"))
    assert refused(client)


def test_silence_for_one_and_a_half_keepalives_ends_the_connection(broker):
    """[MQTT-3.1.2-24]"""
    client = broker.client(keepalive=1)
    assert client.receive(timeout=10) is None


def test_a_keepalive_of_zero_never_ends_it(broker):
    """§3.1.2.10: zero turns the mechanism off"""
    client = broker.client(keepalive=0)
    with pytest.raises(TimeoutError):
        client.receive(timeout=2)
    assert client.flush() == []


def test_an_empty_client_id_needs_a_clean_session(broker):
    """[MQTT-3.1.3-7] [MQTT-3.1.3-8]"""
    client = broker.raw()
    client.send(broker.connect(client_id="", clean=False))
    assert refused(client, 2)


def test_an_empty_client_id_is_served_with_a_clean_session(broker):
    """[MQTT-3.1.3-6]"""
    client = broker.client(client_id="", clean=True)
    assert client.flush() == []


@pytest.mark.parametrize("client_id", ["a" * 23, "Z9" * 100, "ü ß/+#"])
def test_client_ids_of_all_kinds_are_served(broker, client_id):
    """[MQTT-3.1.3-5], and more than it asks for"""
    assert broker.client(client_id=client_id).flush() == []


def test_client_id_must_be_utf8(broker):
    """[MQTT-3.1.3-4] [MQTT-1.5.3-1]"""
    client = broker.raw()
    client.send(broker.connect(client_id=b"\xff\xfe\xfd"))
    assert refused(client)


def test_the_second_connection_ends_the_first(broker):
    """[MQTT-3.1.4-2]"""
    old = broker.client()
    new = broker.client()
    assert old.receive() is None
    assert new.flush() == []


def test_what_follows_a_refused_connect_is_not_processed(broker, topic):
    """[MQTT-3.1.4-5] [MQTT-3.2.2-5]"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    client = broker.raw()
    client.send(broker.wrong_password() + mqtt.publish(topic, b"x"))
    assert client.expect(mqtt.CONNACK).body[1] in (4, 5)
    assert client.receive() is None
    assert watcher.flush() == []


def test_what_follows_a_connect_at_once_is_processed(broker, topic):
    """§3.1.4: a client need not wait for CONNACK"""
    client = broker.raw()
    client.send(broker.connect() + mqtt.subscribe((topic, 1)) + mqtt.publish(topic, b"early", qos=1, packet_id=9))
    kinds = {client.receive().kind for _ in range(4)}
    assert kinds == {mqtt.CONNACK, mqtt.SUBACK, mqtt.PUBACK, mqtt.PUBLISH}


def test_the_first_packet_to_the_client_is_connack(broker, topic):
    """[MQTT-3.2.0-1], even when messages wait for it"""
    client = broker.client(clean=False)
    client.subscribe(topic)
    client.send(mqtt.publish(topic, b"x", qos=1))
    client.expect(mqtt.PUBLISH if client.receive().kind == mqtt.PUBACK else mqtt.PUBACK)
    client.close()
    again = broker.raw()
    again.send(broker.connect(clean=False))
    assert again.receive().kind == mqtt.CONNACK
    assert again.receive().kind == mqtt.PUBLISH


def test_a_refusal_never_says_session_present(broker):
    """[MQTT-3.2.2-4]"""
    broker.client(clean=False).close()
    client = broker.raw()
    client.send(broker.wrong_password(clean=False))
    assert client.expect(mqtt.CONNACK).body[0] == 0


def test_pingreq_is_answered(broker):
    """[MQTT-3.12.4-1]"""
    client = broker.client()
    client.send(mqtt.packet(mqtt.PINGREQ))
    assert client.receive() == mqtt.Packet(mqtt.PINGRESP, 0, b"")


def test_disconnect_is_the_last_packet(broker, topic):
    """[MQTT-3.14.4-1] [MQTT-3.14.4-2]: the server closes, and what follows is not processed"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    client = broker.client()
    client.send(mqtt.packet(mqtt.DISCONNECT) + mqtt.publish(topic, b"late"))
    assert client.receive() is None
    assert watcher.flush() == []


@pytest.mark.parametrize("kind", [mqtt.CONNACK, mqtt.SUBACK, mqtt.UNSUBACK, mqtt.PINGRESP])
def test_packets_that_only_a_server_sends_end_the_connection(broker, kind, unlike):
    """[MQTT-4.8.0-1]"""
    if kind in (mqtt.PINGRESP, mqtt.UNSUBACK):
        unlike("mosquitto", "mosquitto 2.0 takes this packet from a client for nothing")
    client = broker.client()
    client.send(mqtt.packet(kind, b"\x00\x01" if kind != mqtt.PINGRESP else b""))
    assert client.until_closed() == []


@pytest.mark.parametrize(
    "wrong",
    [
        mqtt.packet(0),
        mqtt.packet(15),
        mqtt.packet(mqtt.PINGREQ, flags=1),
        mqtt.packet(mqtt.DISCONNECT, flags=1),
        mqtt.packet(mqtt.SUBSCRIBE, mqtt.subscribe(("mail/a", 0))[2:]),
        mqtt.packet(mqtt.UNSUBSCRIBE, mqtt.unsubscribe("mail/a")[2:]),
        mqtt.packet(mqtt.PUBACK, b"\x00\x01", flags=2),
        b"\xc0\xff\xff\xff\xff\x01",
    ],
    ids=["type 0", "type 15", "PINGREQ", "DISCONNECT", "SUBSCRIBE", "UNSUBSCRIBE", "PUBACK", "length of five bytes"],
)
def test_reserved_bits_and_lengths_end_the_connection(broker, wrong, unlike):
    """[MQTT-2.2.2-2], §2.2.3"""
    if wrong[0] in (0xC1, 0x42):
        unlike("mosquitto", "mosquitto 2.0 does not look at the flags of PINGREQ and PUBACK")
    client = broker.client()
    client.send(wrong)
    assert client.until_closed() == []
