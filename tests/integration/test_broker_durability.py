"""Nothing in flight or waiting is lost: slow and dropping links, takeover, kill -9."""

from __future__ import annotations

import threading
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support import mqtt5_client as mqtt5
from tests.support import mqtt_client as mqtt
from tests.support.mqtt5_client import Client5
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.mqtt_link import BadLink
from tests.support.waiting import until


@pytest.fixture
def running(tmp_path):
    broker = EmbeddedBroker(tmp_path, config="[limits]\nqueue = 500\ninflight = 20\n")
    broker.logins.add("bridge", "bridge")
    for device in ("alice.phone", "alice.tablet", "bob.phone"):
        broker.logins.add(device)
    with broker:
        yield broker


def say(bridge, topic, payload, *, retain=False):
    bridge.send(mqtt.publish(topic, payload, qos=1, packet_id=1, retain=retain))
    bridge.expect(mqtt.PUBACK)


def test_a_slow_link_that_drops_loses_nothing(running):
    """300 ms round trip, cut every 0.8 s, an ordinary client that acknowledges and reconnects."""
    got, complete = [], threading.Event()

    def on_message(_client, _data, message):
        got.append(message.payload.decode())
        if got[-1] == "last":
            complete.set()

    subscribed = threading.Event()
    phone = paho.Client(CallbackAPIVersion.VERSION2, client_id="whatever", clean_session=False)
    phone.username_pw_set("alice.phone", password_of("alice.phone"))
    phone.reconnect_delay_set(1, 1)
    phone.on_message = on_message
    phone.on_subscribe = lambda *_: subscribed.set()

    def on_connect(client, *_):
        if not subscribed.is_set():
            client.subscribe("mail/alice/msg/+", 1)

    phone.on_connect = on_connect
    with BadLink(running.address(), delay=0.15, lifetime=0.8) as link, running.client("bridge") as bridge:
        host, port = link.address
        phone.connect(host, port, keepalive=10)
        phone.loop_start()
        try:
            assert subscribed.wait(20)
            sent = []
            while link.cuts < 4:  # so messages come while the link is up, slow and down
                sent.append(str(len(sent)))
                say(bridge, f"mail/alice/msg/{sent[-1]}", sent[-1].encode())
                time.sleep(0.02)
            sent.append("last")
            say(bridge, "mail/alice/msg/last", b"last")
            assert complete.wait(60)
        finally:
            phone.disconnect()
            phone.loop_stop()
    assert list(dict.fromkeys(got)) == sent


def test_in_flight_comes_again_in_order_with_dup_and_what_was_acknowledged_does_not(running):
    with running.client("bridge") as bridge:
        phone = running.client("alice.phone", clean=False)
        phone.subscribe("mail/alice/#")
        for number in range(5):
            say(bridge, f"mail/alice/msg/{number}", b"%d" % number)
        sent = phone.flush(acknowledge=False)
        for packet in (sent[0], sent[2]):
            phone.send(mqtt.puback(packet.packet_id))
        phone.flush(acknowledge=False)
        phone.close()
        phone = running.client("alice.phone", clean=False)
        assert phone.present
        again = phone.flush()
        assert [(p.payload, p.packet_id, p.dup) for p in again] == [
            (p.payload, p.packet_id, True) for p in (sent[1], sent[3], sent[4])
        ]
        assert phone.flush() == []


def test_takeover_ends_the_old_connection_and_loses_nothing(running):
    with running.client("bridge") as bridge:
        old = running.client("alice.phone", clean=False, client_id="first")
        old.subscribe("mail/alice/#")
        say(bridge, "mail/alice/msg/1", b"1")
        old.expect(mqtt.PUBLISH)
        new = running.client("alice.phone", clean=False, client_id="second")
        assert new.present
        assert old.receive() is None
        say(bridge, "mail/alice/msg/2", b"2")
        assert [(p.payload, p.dup) for p in new.flush()] == [(b"1", True), (b"2", False)]


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_sessions_survive_the_end_of_the_broker(running, ending):
    phone = running.client("alice.phone", clean=False)
    phone.subscribe("mail/alice/#")
    with running.client("bridge") as bridge:
        say(bridge, "mail/alice/msg/0", b"acknowledged")
        assert len(phone.flush()) == 1
        phone.close()
        for number in range(1, 50):
            say(bridge, f"mail/alice/msg/{number}", b"%d" % number)
        say(bridge, "mail/alice/box", b"old", retain=True)
        say(bridge, "mail/alice/box", b"new", retain=True)
    time.sleep(0.05)  # the PUBACK above is written with the next group; it is not promised to anybody
    getattr(running, ending)()
    running.start()
    phone = running.client("alice.phone", clean=False)
    assert phone.present
    got = [phone.expect(mqtt.PUBLISH) for _ in range(20)]
    for packet in got:
        phone.send(mqtt.puback(packet.packet_id))
    got += phone.flush()
    while len(got) < 50:
        got += phone.flush()
    assert [p.payload for p in got] == [b"%d" % number for number in range(1, 50)] + [b"new"]
    assert not any(p.retain for p in got)
    with running.client("bridge") as bridge:
        say(bridge, "mail/alice/msg/99", b"still subscribed")
        assert [p.payload for p in phone.flush()] == [b"still subscribed"]


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_what_is_retained_survives_the_end_of_the_broker(running, ending):
    with running.client("bridge") as bridge:
        say(bridge, "mail/alice/text", b"old", retain=True)
        say(bridge, "mail/alice/msg/1", b"gone", retain=True)
        say(bridge, "mail-bridge/main/status", b"online", retain=True)
        say(bridge, "mail/alice/msg/1", b"", retain=True)
        say(bridge, "mail/alice/text", b"new", retain=True)
        getattr(running, ending)()  # before the bridge is gone: its word that it is online stands
    running.start()
    with running.client("alice.phone") as phone:
        phone.subscribe("mail-bridge/+/status")
        phone.subscribe("mail/alice/#")
        assert [(p.topic, p.payload, p.retain) for p in phone.flush()] == [("mail/alice/text", b"new", True)]


def test_what_was_acknowledged_to_the_publisher_survives_a_kill_at_any_moment(running):
    """Killed four times in the middle of a stream: each PUBACK seen means the message is delivered."""
    with running.client("alice.phone", clean=False) as phone:
        phone.subscribe("mail/alice/#")
    promised, number = set(), 0
    for _ in range(4):
        bridge = running.client("bridge")
        for _ in range(40):
            bridge.send(mqtt.publish("mail/alice/msg/x", b"%d" % number, qos=1, packet_id=number + 1))
            number += 1
        for _ in range(number % 7 + 3):
            promised.add(bridge.expect(mqtt.PUBACK).packet_id - 1)
        running.kill()
        while (late := bridge.receive()) is not None:
            promised.add(late.packet_id - 1)
        running.start()
    phone, got = running.client("alice.phone", clean=False), []
    while len(batch := phone.flush()):
        got += batch
    numbers = [int(p.payload) for p in got]
    assert promised <= set(numbers)
    assert numbers == sorted(set(numbers))


def test_a_clean_session_leaves_nothing(running):
    with running.client("alice.phone", clean=False) as phone:
        phone.subscribe("mail/alice/#")
    with running.client("alice.phone", clean=True) as phone:
        assert not phone.present
    phone = running.client("alice.phone", clean=False)
    assert not phone.present
    with running.client("bridge") as bridge:
        say(bridge, "mail/alice/msg/1", b"1")
    assert phone.flush() == []


def test_a_full_queue_gives_up_the_oldest_and_says_so(running):
    with running.client("alice.phone", clean=False) as phone:
        phone.subscribe("mail/alice/#")
    with running.client("bridge") as bridge:
        for number in range(510):
            say(bridge, f"mail/alice/msg/{number}", b"%d" % number)
    phone, got = running.client("alice.phone", clean=False), []
    while batch := phone.flush():
        got += batch
    assert [int(p.payload) for p in got] == list(range(10, 510))
    assert running.logged().count('"queue_full"') == 1


def test_a_damaged_session_file_is_put_aside(running):
    running.client("alice.phone", clean=False).subscribe("mail/alice/#")
    running.stop()
    (running.state / "sessions.db").write_bytes(b"not a database, and long enough to look at" * 100)
    running.start()
    assert not running.client("alice.phone", clean=False).present
    assert "sessions_damaged" in running.logged()
    assert (running.state / "sessions.damaged").exists()


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_what_mqtt_5_adds_survives_the_end_of_the_broker(running, ending):
    """Expiry of the session, options and identifiers of its subscriptions, and all that goes with what waits."""
    lasting = {"clean": False, "session_expiry": 3600}
    about = {"message_expiry": 1000, "content_type": "a/b", "user": [("k", "v"), ("k", "w")]}
    with Client5(running, "alice.phone", **lasting) as phone:
        phone.subscribed(("mail/alice/#", 1), subscription_id=1)
        phone.subscribed(("mail/alice/msg/+", 1 | 8), subscription_id=268_435_455)
    with Client5(running, "bob.phone", clean=False, session_expiry=1) as soon:
        soon.subscribed(("mail/bob/#", 1))
    with Client5(running, "bridge") as bridge:
        bridge.send(mqtt5.publish("mail/alice/msg/1", b"x", qos=1, retain=True, **about))
        bridge.expect(mqtt.PUBACK)
        getattr(running, ending)()
    running.start()
    with Client5(running, "alice.phone", **lasting) as phone:
        assert phone.present
        [got] = phone.flush()
        told = mqtt5.about(got)
        assert (mqtt5.payload(got), got.retain, sorted(told.pop("subscription_id"))) == (b"x", True, [1, 268_435_455])
        kept = {"content_type": b"a/b", "user": [(b"k", b"v"), (b"k", b"w")]}
        assert 900 < told.pop("message_expiry") <= 1000, "what is left of a second counts as one"
        assert told == kept
        phone.send(mqtt5.unsubscribe("mail/alice/#", "mail/alice/msg/+") + mqtt5.subscribe(("mail/alice/msg/1", 1)))
        phone.expect(mqtt.UNSUBACK)
        phone.expect(mqtt.SUBACK)
        replayed = phone.expect(mqtt.PUBLISH)
        told = mqtt5.about(replayed)
        assert 900 < told.pop("message_expiry") <= 1000, "what is left of a second counts as one"
        assert (told, replayed.retain) == (kept, True), "the retained one has it as well"
    until(lambda: '"session_expired"' in running.logged(), what="the other session to end")
    assert not running.client("bob.phone", clean=False).present


def test_a_message_of_qos_2_is_taken_once_over_a_kill(running):
    """PUBREC seen: neither lost nor taken again; PUBCOMP seen: the packet id is free."""
    running.client("bridge", clean=False).subscribe("mail/alice/do/+")
    phone = running.client("alice.phone", clean=False)
    for number in (1, 2):
        phone.send(mqtt.publish("mail/alice/do/phone", b"%d" % number, qos=2, packet_id=number))
        assert phone.expect(mqtt.PUBREC).packet_id == number
    phone.send(mqtt5.answer(mqtt.PUBREL, 1))
    phone.expect(mqtt.PUBCOMP)
    running.restart()
    phone = running.client("alice.phone", clean=False)
    phone.send(mqtt.publish("mail/alice/do/phone", b"2", qos=2, packet_id=2, dup=True))
    phone.expect(mqtt.PUBREC)
    phone.send(mqtt5.answer(mqtt.PUBREL, 2))
    phone.expect(mqtt.PUBCOMP)
    for number in (1, 2):
        phone.send(mqtt.publish("mail/alice/do/phone", b"new %d" % number, qos=2, packet_id=number))
        phone.expect(mqtt.PUBREC)
    got = running.client("bridge", clean=False).flush()
    assert [packet.payload for packet in got] == [b"1", b"2", b"new 1", b"new 2"]


def test_it_listens_before_all_that_waits_is_read(tmp_path):
    """A device that comes early has its own first, and all of it; what comes meanwhile is behind it."""
    broker = EmbeddedBroker(tmp_path, config="[limits]\ninflight = 1000\n")
    broker.logins.add("bridge", "bridge")
    users = [f"user{number}.phone" for number in range(30)]
    for username in users:
        broker.logins.add(username)
    with broker:
        for username in users:
            user = username.partition(".")[0]
            broker.client(username, clean=False).subscribe(f"mail/{user}/#")
        with broker.client("bridge") as bridge:
            for number in range(200):
                for username in users:
                    user = username.partition(".")[0]
                    bridge.send(mqtt.publish(f"mail/{user}/msg/{number}", b"%d" % number, qos=1, packet_id=1))
            acknowledged = [bridge.expect(mqtt.PUBACK) for _ in range(200 * len(users))]
            assert len(acknowledged) == 6000
        broker.restart()
        last = broker.client(users[-1], clean=False)
        assert last.present
        with broker.client("bridge") as bridge:
            say(bridge, "mail/user5/msg/new", b"new")
        kept = [b"%d" % number for number in range(200)]
        assert [last.expect(mqtt.PUBLISH).payload for _ in kept] == kept
        early = broker.client(users[5], clean=False)
        assert [early.expect(mqtt.PUBLISH).payload for _ in range(201)] == [*kept, b"new"]
        assert last.flush() == early.flush() == []
        until(lambda: '"queues_restored"' in broker.logged(), what="all queues")
        assert '"messages": 6000' in broker.logged()
