"""MQTT 3.1 (level 3, `MQIsdp`), and bridges: the bit that mosquitto and others set in the protocol level."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt

OLD = {"level": 3, "name": "MQIsdp"}
BRIDGES = pytest.mark.parametrize("level", [OLD | {"level": 0x83}, {"level": 0x84}], ids=["3.1", "3.1.1"])


def test_3_1_is_served(broker, topic):
    """3.1 §3.1 to §3.9"""
    client = broker.client(**OLD)
    assert client.subscribe(topic) == [1]
    client.send(mqtt.publish(topic, b"x", qos=1))
    assert {client.receive().kind for _ in range(2)} == {mqtt.PUBLISH, mqtt.PUBACK}


def test_the_name_belongs_to_its_level(broker):
    """[MQTT-3.1.2-1], 3.1 §3.1"""
    for wrong in ({"level": 3, "name": "MQTT"}, {"level": 4, "name": "MQIsdp"}):
        client = broker.raw()
        client.send(broker.connect(**wrong))
        assert all(got.kind == mqtt.CONNACK and got.body[1] == 1 for got in client.until_closed())


@pytest.mark.parametrize("clean", [True, False])
def test_a_client_of_3_1_has_an_id(broker, clean):
    """3.1 §3.1: 1 to 23 characters, else code 2"""
    client = broker.raw()
    client.send(broker.connect(**OLD, client_id="", clean=clean))
    assert [got.body for got in client.until_closed()] == [b"\x00\x02"]


def test_a_session_of_3_1_is_kept_without_the_clean_flag(broker, topic):
    """3.1 §3.1: clean session"""
    broker.client(**OLD, clean=False).subscribe(topic)
    away = broker.client(1)
    away.send(mqtt.publish(topic, b"x", qos=1))
    away.expect(mqtt.PUBACK)
    got = broker.client(**OLD, clean=False).expect(mqtt.PUBLISH)
    assert (got.payload, got.retain) == (b"x", False)


def test_retained_messages_and_wills_of_3_1(broker, topic):
    """3.1 §3.1, §3.3"""
    watcher = broker.client(1)
    watcher.subscribe(topic)
    broker.client(**OLD, will=(topic, b"gone", 1, True)).close()
    got = watcher.expect(mqtt.PUBLISH)
    assert (got.payload, got.retain) == (b"gone", False)
    late = broker.client(**OLD)
    late.subscribe(topic)
    assert [(one.payload, one.retain) for one in late.flush()] == [(b"gone", True)]
    late.send(mqtt.publish(topic, b"", retain=True))
    late.flush()


def test_a_filter_that_may_not_be_is_told_in_3_1_as_well(broker):
    """There is no code for it in 3.1, and a client that knows of none still reads no QoS in 0x80"""
    client = broker.client(**OLD)
    client.send(mqtt.subscribe(("mail/#/x", 1)))
    answer = client.receive()
    assert answer is None or answer.body[2:] == b"\x80"


@pytest.mark.parametrize("level", [0x82, 0x86, 0xFF])
def test_no_other_level_has_a_bridge(broker, level):
    """[MQTT-3.1.2-2]"""
    client = broker.raw()
    client.send(broker.connect(level=level))
    got = client.until_closed()
    assert all(one.kind == mqtt.CONNACK and one.body[1] in (1, 0x84) for one in got)


@BRIDGES
def test_a_bridge_gets_retain_as_it_was_published(broker, topic, level):
    """What a broker on the other side needs to keep the same retained messages, and to clear them"""
    bridge, sender = broker.client(**level), broker.client(1)
    bridge.subscribe(topic)
    for payload in (b"kept", b""):
        sender.send(mqtt.publish(topic, payload, qos=1, retain=True))
        sender.expect(mqtt.PUBACK)
    sender.send(mqtt.publish(topic, b"passing", qos=1))
    sender.expect(mqtt.PUBACK)
    assert [(got.payload, got.retain) for got in bridge.flush()] == [(b"kept", True), (b"", True), (b"passing", False)]


@BRIDGES
def test_a_bridge_gets_none_of_its_own_messages_back(broker, topic, level):
    """Else two brokers would pass a message to one another for ever"""
    bridge, other = broker.client(**level), broker.client(1)
    bridge.subscribe(topic)
    other.subscribe(topic)
    bridge.send(mqtt.publish(topic, b"mine", qos=1))
    bridge.expect(mqtt.PUBACK)
    assert bridge.flush() == []
    assert other.expect(mqtt.PUBLISH).payload == b"mine"


@BRIDGES
def test_a_bridges_session_waits_and_keeps_the_flag(broker, topic, level):
    """§3.1.2.4, and RETAIN as published for what waited"""
    broker.client(**level, clean=False).subscribe(topic)
    sender = broker.client(1)
    for payload in (b"kept", b""):
        sender.send(mqtt.publish(topic, payload, qos=1, retain=True))
        sender.expect(mqtt.PUBACK)
    again = broker.client(**level, clean=False)
    assert again.present or level["level"] == 0x83, "3.1 has no such flag"
    assert [(got.payload, got.retain) for got in again.flush()] == [(b"kept", True), (b"", True)]
