"""MQTT 5 on the real process, over real sockets: what a connection agrees upon, and how it is ended."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.support import mqtt5_client as mqtt5
from tests.support import mqtt_client as mqtt
from tests.support.mqtt5_client import Client5
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.waiting import until

AS_PUBLISHED = 8


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    config = "[broker]\nkeep_alive = 1\nsession_days = 0.1\n[limits]\npacket = 4096\nsubscriptions = 3\n"
    broker = EmbeddedBroker(tmp_path_factory.mktemp("five"), config=config)
    broker.logins.add("bridge", "bridge")
    broker.logins.add("boss", "admin")
    for device in ("alice.phone", "alice.tablet", "bob.phone", "carol.phone"):
        broker.logins.add(device)
    with broker:
        yield broker


@pytest.fixture
def bridge(running):
    with running.client("bridge") as client:
        yield client


def say(bridge, topic, payload=b"x", *, retain=False):
    bridge.send(mqtt.publish(topic, payload, qos=1, packet_id=1, retain=retain))
    bridge.expect(mqtt.PUBACK)


def test_connack_tells_what_holds(running):
    """[MQTT-3.2.2-16] [MQTT-3.2.2-21]: what is not told is as it was asked for"""
    with Client5(running, "alice.phone", client_id="", keepalive=0, session_expiry=0xFFFF_FFFF) as client:
        told = client.terms
    assert told.pop("shared_available") == 0
    assert told == {
        "session_expiry": 8640,
        "receive_maximum": 1024,
        "packet_maximum": 4096,
        "alias_maximum": 16,
        "assigned_client_id": b"alice.phone",
        "server_keep_alive": 1,
    }
    with Client5(running, "alice.phone", keepalive=600, session_expiry=10) as client:
        assert not {"session_expiry", "assigned_client_id", "server_keep_alive", "maximum_qos"} & client.terms.keys()


def test_an_assigned_client_id_is_noted_as_one_that_was_chosen(running):
    def noted():
        with contextlib.closing(sqlite3.connect(running.state / "sessions.db")) as file:
            return file.execute("SELECT client_id FROM visit WHERE username = 'alice.phone'").fetchall()

    with Client5(running, "alice.phone", client_id=""):
        until(lambda: noted() == [("alice.phone",)], what="the visit to be noted")


def test_an_unknown_way_to_log_in_is_refused(running):
    """[MQTT-4.12.0-1]"""
    with mqtt.Raw(running.address()) as client:
        client.send(mqtt5.connect(authentication_method="SCRAM-SHA-1"))
        assert mqtt5.code(client.expect(mqtt.CONNACK)) == 0x8C
        assert client.receive() is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (mqtt.packet(mqtt.CONNECT), 0x82),
        (mqtt.packet(mqtt.PUBACK, b"\0"), 0x81),
        (mqtt5.disconnect(session_expiry=10), 0x82),
        (mqtt5.publish("mail/alice/do/phone", b"x" * 5000), 0x95),
        (mqtt5.publish("", alias=17), 0x94),
        (mqtt.packet(15, b"\0\0"), 0x82),
    ],
    ids=["second CONNECT", "malformed", "a session that was to end", "too large", "alias", "AUTH"],
)
def test_a_broken_protocol_is_told_with_its_reason(running, data, code):
    """[MQTT-4.13.1-1]"""
    with Client5(running, "alice.phone") as client:
        client.send(data)
        told = client.expect(mqtt.DISCONNECT)
        assert mqtt5.code(told) == code
        assert client.receive() is None


def test_who_is_taken_over_hears_why(running):
    """[MQTT-3.1.4-3]"""
    with Client5(running, "alice.phone") as old, running.client("alice.phone"):
        assert mqtt5.code(old.expect(mqtt.DISCONNECT)) == 0x8E
        assert old.receive() is None


def test_who_is_silent_hears_why(running):
    """[MQTT-3.1.2-22], at the keep alive of the broker [MQTT-3.2.2-21]"""
    with Client5(running, "alice.phone", keepalive=0) as client:
        assert mqtt5.code(client.expect(mqtt.DISCONNECT)) == 0x8D
        assert client.receive() is None


def test_who_loses_his_login_hears_why(running):
    running.logins.add("dora.phone")
    running.logins.add("dora.tablet")
    with Client5(running, "dora.phone") as phone, Client5(running, "dora.tablet") as tablet:
        running.logins.remove("dora.phone")
        assert mqtt5.code(phone.expect(mqtt.DISCONNECT)) == 0x98
        running.logins.replace("dora.tablet", "another")
        assert mqtt5.code(tablet.expect(mqtt.DISCONNECT)) == 0x87


def test_all_hear_that_the_broker_goes(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    broker.logins.add("alice.phone")
    with broker:
        client = Client5(broker, "alice.phone")
        broker.stop()
        assert mqtt5.code(client.expect(mqtt.DISCONNECT)) == 0x8B
        assert client.receive() is None


def test_who_does_not_read_holds_nothing_by_it(running, bridge):
    """What is not read is given up with its connection, in whatever version."""
    with Client5(running, "alice.phone", clean=False, session_expiry=100, receive_buffer=4096) as client:
        client.subscribed(("mail/alice/#", 1))
        for number in range(60):
            say(bridge, f"mail/alice/msg/{number}", b"x" * 4000)
        with running.client("alice.phone", clean=True) as other:
            assert other.present is False
            until(lambda: running.logged().count('"taken_over"') > 0, what="the end of the other")
            assert other.flush() == []


def test_a_session_is_resumed_across_versions(running, bridge):
    """3.1.1 to 5 and back: subscriptions with their options, and what waits"""
    with running.client("bob.phone", clean=False) as old:
        old.subscribe("mail/bob/msg/+")
    with Client5(running, "bob.phone", clean=False, session_expiry=100) as new:
        assert new.present
        assert new.subscribed(("mail/bob/#", 1 | AS_PUBLISHED), subscription_id=9) == [1]
        new.send(mqtt5.disconnect())
        assert new.receive() is None
    say(bridge, "mail/bob/msg/1", retain=True)
    with running.client("bob.phone", clean=False) as old:
        assert old.present
        assert [(got.payload, got.retain) for got in old.flush(acknowledge=False)] == [(b"x", True)]
    with Client5(running, "bob.phone", clean=False, session_expiry=0) as new:
        [got] = new.flush()
        assert (mqtt5.about(got), got.dup) == ({"subscription_id": [9]}, True)
        new.send(mqtt5.disconnect())
        new.receive()
    assert not running.client("bob.phone", clean=False).present
    say(bridge, "mail/bob/msg/1", b"", retain=True)


def test_a_session_that_a_client_of_5_gives_up_ends(running):
    with Client5(running, "bob.phone", session_expiry=100) as client:
        client.send(mqtt5.disconnect(session_expiry=0))
        assert client.receive() is None
    assert not running.client("bob.phone", clean=False).present


@pytest.mark.parametrize("code", [0, 4])
def test_a_goodbye_with_will_sends_it(running, bridge, code):
    """[MQTT-3.14.4-3], §3.14.2.1"""
    bridge.subscribe("mail/alice/do/phone")
    will = ("mail/alice/do/phone", b"gone", 1, False)
    with Client5(running, "alice.phone", will=will, will_properties={"content_type": "text/plain"}) as client:
        client.send(mqtt5.disconnect(code))
        assert client.receive() is None
    assert [got.payload for got in bridge.flush()] == ([b"gone"] if code else [])


def test_a_will_waits_and_is_not_sent_to_who_comes_back(running, bridge):
    bridge.subscribe("mail/alice/do/phone")
    will = ("mail/alice/do/phone", b"gone", 2, False)
    options = {"clean": False, "session_expiry": 100, "will": will, "will_properties": {"will_delay": 2}}
    Client5(running, "alice.phone", **options).close()
    with Client5(running, "alice.phone", **options) as again:
        assert again.present
    assert bridge.flush() == [], "the first one's is not sent, the second one's not yet"
    assert bridge.expect(mqtt.PUBLISH, timeout=20).payload == b"gone"
    assert bridge.flush() == []


def test_publishing_is_answered_with_reasons(running, bridge):
    with Client5(running, "alice.phone") as client:
        own = "mail/alice/do/phone"
        client.send(
            mqtt5.publish("mail/bob/do/phone", qos=1, packet_id=1)
            + mqtt5.publish(own, qos=1, packet_id=2)
            + mqtt5.publish("mail/bob/do/phone", qos=2, packet_id=3)
            + mqtt5.publish(own, qos=2, packet_id=4, alias=1)
            + mqtt5.publish("", qos=2, packet_id=5, alias=1)
        )
        answers = [client.expect(kind) for kind in (mqtt.PUBACK,) * 2 + (mqtt.PUBREC,) * 3]
        assert [(got.packet_id, mqtt5.code(got)) for got in answers] == [
            (1, 0x87), (2, 0x10), (3, 0x87), (4, 0x10), (5, 0x10),
        ]  # fmt: skip
        bridge.subscribe("mail/alice/do/+")
        client.send(b"".join(mqtt5.answer(mqtt.PUBREL, number) for number in (4, 5, 6)))
        assert [mqtt5.code(client.expect(mqtt.PUBCOMP)) for _ in range(3)] == [0, 0, 0x92]
        client.send(mqtt5.publish("", b"by number", qos=1, packet_id=6, alias=1))
        assert mqtt5.code(client.expect(mqtt.PUBACK)) == 0
    assert [got.payload for got in bridge.flush()] == [b"by number"]


def test_subscriptions_are_answered_with_reasons(running):
    with Client5(running, "alice.phone") as client:
        wanted = [("mail/alice/#", 2), ("mail/bob/#", 0), ("$share/a/mail/alice/#", 0)]
        client.send(mqtt5.subscribe(*wanted))
        told = client.expect(mqtt.SUBACK)
        assert mqtt5.codes(told) == [1, 0x87, 0x9E]
        client.send(mqtt5.unsubscribe("mail/alice/#", "mail/alice/#"))
        assert mqtt5.codes(client.expect(mqtt.UNSUBACK)) == [0, 0x11]


def test_what_is_too_large_for_a_client_is_not_sent_and_not_kept(running, bridge):
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
    how = {"clean": False, "session_expiry": 100, "packet_maximum": 200}
    with Client5(running, "carol.phone", **how) as client:
        client.subscribed(("mail/carol/#", 1))
    say(bridge, "mail/carol/msg/1", b"x" * 500)
    say(bridge, "mail/carol/msg/2")
    with Client5(running, "carol.phone", **how) as client:
        assert [got.topic for got in client.flush()] == ["mail/carol/msg/2"]
    with Client5(running, "carol.phone", clean=False) as client:
        assert client.present
        assert client.flush() == []


def test_no_more_is_in_flight_than_a_client_takes_also_when_it_comes_again(running, bridge):
    """[MQTT-3.3.4-9]"""
    how = {"clean": False, "session_expiry": 100}
    with Client5(running, "carol.phone", **how, receive_maximum=3) as client:
        client.subscribed(("mail/carol/#", 1))
        for number in range(5):
            say(bridge, f"mail/carol/msg/{number}")
        assert len(client.flush(acknowledge=False)) == 3
    with Client5(running, "carol.phone", clean=False, receive_maximum=2) as client:
        first = client.flush(acknowledge=False)
        assert [(got.topic[-1], got.dup) for got in first] == [("0", True), ("1", True)]
        client.send(mqtt.puback(first[0].packet_id) + mqtt.puback(first[1].packet_id))
        rest = client.flush() + client.flush() + client.flush()
        assert [(got.topic[-1], got.dup) for got in rest] == [("2", True), ("3", False), ("4", False)]


def test_a_message_counts_down_while_it_waits_and_is_gone_in_the_end(running):
    """[MQTT-3.3.2-5] [MQTT-3.3.2-6]"""
    how = {"clean": False, "session_expiry": 100}
    with Client5(running, "carol.phone", **how) as client:
        client.subscribed(("mail/carol/#", 1))
    with Client5(running, "bridge") as bridge:
        for number, expiry_s in enumerate((1, 1000), 1):
            told = {"message_expiry": expiry_s, "user": ("a", "b"), "payload_format": 1}
            bridge.send(mqtt5.publish("mail/carol/event", b"%d" % expiry_s, qos=1, packet_id=number, **told))
            bridge.expect(mqtt.PUBACK)
        bridge.send(mqtt5.publish("mail/carol/text", b"short", retain=True, message_expiry=1))
        bridge.flush()

    def gone():
        with running.client("boss") as boss:
            boss.send(mqtt.subscribe(("mail/carol/text", 0)))
            return [got.kind for got in boss.flush()] == [mqtt.SUBACK]

    until(gone, what="the retained message to expire")
    with Client5(running, "carol.phone", **how) as client:
        [got] = client.flush()
        left: dict[str, Any] = mqtt5.about(got)
        assert (mqtt5.payload(got), 900 < left.pop("message_expiry") < 1000) == (b"1000", True)
        assert left == {"user": [(b"a", b"b")], "payload_format": 1}


def test_paho_is_served(running):
    """An ordinary client of MQTT 5: options, properties of a message both ways, the reason of its end"""
    got, subscribed, ended = [], threading.Event(), threading.Event()
    reasons = []

    def on_disconnect(_client, _data, _flags, reason, _properties):
        reasons.append(reason.value)
        ended.set()

    phone = paho.Client(CallbackAPIVersion.VERSION2, client_id="", protocol=paho.MQTTv5)
    phone.username_pw_set("alice.phone", password_of("alice.phone"))
    phone.on_message = lambda _client, _data, message: got.append(message)
    phone.on_subscribe = lambda *_: subscribed.set()
    phone.on_disconnect = on_disconnect
    phone.on_connect = lambda client, *_: client.subscribe(
        "mail/alice/#", options=SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=2)
    )
    host, port = running.address()
    phone.connect(host, port, keepalive=10)
    phone.loop_start()
    try:
        assert subscribed.wait(20)
        with Client5(running, "bridge") as bridge:
            told = {"response_topic": "mail/alice/re", "correlation_data": b"\0\1", "user": [("a", "b"), ("a", "c")]}
            bridge.send(mqtt5.publish("mail/alice/event", b"hi", qos=1, retain=True, **told))
            bridge.expect(mqtt.PUBACK)
            until(lambda: got, what="the message")
            bridge.send(mqtt5.publish("mail/alice/event", b"", qos=1, retain=True))
            bridge.expect(mqtt.PUBACK)
        first = got[0]
        assert (first.payload, first.retain, first.properties.ResponseTopic) == (b"hi", True, "mail/alice/re")
        assert first.properties.UserProperty == [("a", "b"), ("a", "c")]
        request = Properties(PacketTypes.PUBLISH)
        request.MessageExpiryInterval = 60
        phone.publish("mail/alice/do/phone", b"x", qos=2, properties=request).wait_for_publish(20)
        with running.client("alice.phone"):
            assert ended.wait(20)
        assert reasons == [0x8E]
    finally:
        phone.disconnect()
        phone.loop_stop()
