"""bob, or a stranger, against alice: on the real process, over real sockets."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker, password_of

SECRET = b"for alice only"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    broker = EmbeddedBroker(tmp_path_factory.mktemp("isolation"))
    broker.logins.add("bridge", "bridge")
    broker.logins.add("boss", "admin")
    for device in ("alice.phone", "alice.tablet", "bob.phone"):
        broker.logins.add(device)
    with broker:
        yield broker


@pytest.fixture
def bridge(running):
    with running.client("bridge") as client:
        yield client


def say(bridge, topic, payload=SECRET, *, retain=False):
    bridge.send(mqtt.publish(topic, payload, qos=1, packet_id=1, retain=retain))
    bridge.expect(mqtt.PUBACK)


FILTERS = [
    "#",
    "mail/#",
    "+/alice/#",
    "mail/+/msg/+",
    "mail/alice/msg/+",
    "mail/alice/#",
    "mail/alice/re/phone",
    "$SYS/#",
]


def test_no_filter_gets_bob_anything_of_alice(running, bridge):
    say(bridge, "mail/alice/msg/1", retain=True)
    with running.client("bob.phone", clean=False) as bob:
        assert bob.flush() == []  # nothing on connect
        assert bob.subscribe(*FILTERS) == [0x80] * len(FILTERS)
        assert bob.subscribe("mail/bob/#") == [1]
        say(bridge, "mail/alice/msg/2")
        say(bridge, "mail/bob/msg/1", b"for bob")
        assert [got.payload for got in bob.flush()] == [b"for bob"]


@pytest.mark.parametrize("client_id", ["alice.phone", "alice", "bridge", "a" * 200])
def test_a_guessed_client_id_takes_nothing_over(running, bridge, client_id):
    with running.client("alice.phone", clean=False, client_id="alice.phone") as alice:
        assert alice.subscribe("mail/alice/#") == [1]
        alice.flush()
        for clean in (True, False):
            with running.client("bob.phone", client_id=client_id, clean=clean) as bob:
                say(bridge, "mail/alice/msg/3")
                assert bob.flush() == []
        assert [got.payload for got in alice.flush()] == [SECRET, SECRET]  # still there, undisturbed


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ((None, None), 5),
        (("alice.phone", None), 5),
        (("alice.phone", ""), 4),
        (("alice.phone", "guess"), 4),
        (("alice.phone", password_of("bob.phone")), 4),
        (("alice", password_of("alice.phone")), 4),
        (("nobody", "x"), 4),
        (("bridge", "guess"), 4),
    ],
)
@pytest.mark.parametrize("clean", [True, False])
def test_without_the_password_nothing_of_alice_is_touched(running, bridge, credentials, code, clean):
    with running.client("alice.phone", clean=False) as alice:
        alice.subscribe("mail/alice/event")
        alice.flush()
        with mqtt.Raw(running.address()) as stranger:
            will = ("mail/alice/do/phone", b"boo", 1, True)
            stranger.send(
                mqtt.connect("alice.phone", username=credentials[0], password=credentials[1], clean=clean, will=will)
            )
            stranger.send(mqtt.subscribe(("#", 1)) + mqtt.publish("mail/alice/event", b"forged"))
            assert [got.body for got in stranger.until_closed()] == [bytes([0, code])]
        say(bridge, "mail/alice/event")
        assert [got.payload for got in alice.flush()] == [SECRET]


def test_replies_to_a_sibling_are_left_out(running, bridge):
    with running.client("alice.phone") as phone, running.client("alice.tablet") as tablet:
        assert phone.subscribe("mail/alice/#", "mail/alice/re/tablet") == [1, 0x80]
        assert tablet.subscribe("mail/alice/re/+") == [1]
        phone.flush()
        say(bridge, "mail/alice/re/tablet", b"t", retain=True)
        say(bridge, "mail/alice/re/phone", b"p")
        assert [got.payload for got in phone.flush()] == [b"p"]
        assert [got.payload for got in tablet.flush()] == [b"t"]
    with running.client("alice.phone") as phone:
        phone.subscribe("mail/alice/re/#")
        assert phone.flush() == []  # nor from the retained ones


def test_requests_of_a_sibling_are_left_out_and_large_ones_refused(running):
    with (
        running.client("boss") as boss,
        running.client("alice.phone") as phone,
        running.client("alice.tablet") as tablet,
    ):
        assert boss.subscribe("mail/alice/do/+") == [1]
        assert phone.subscribe("mail/alice/#", "mail/alice/do/tablet") == [1, 0x80]
        phone.flush()
        for size in (16_384, 16_385, 3):
            tablet.send(mqtt.publish("mail/alice/do/tablet", b"x" * size, qos=1))
            tablet.expect(mqtt.PUBACK)
        assert [len(got.payload) for got in boss.flush()] == [16_384, 3]
        assert phone.flush() == []
    assert '"reason": "too_large_request"' in running.logged()


@pytest.mark.parametrize(
    "topic",
    ["mail/alice/msg/1", "mail/bob/msg/1", "mail/alice/do/phone", "mail-bridge/main/status", "$SYS/broker/uptime", "x"],
)
def test_what_bob_may_not_write_is_acknowledged_and_dropped(running, topic):
    with running.client("boss") as boss, running.client("bob.phone") as bob:
        boss.subscribe("#", "$SYS/#")
        boss.flush()
        bob.send(mqtt.publish(topic, b"forged", qos=1, packet_id=5, retain=True))
        assert bob.expect(mqtt.PUBACK).packet_id == 5
        assert all(got.payload != b"forged" for got in boss.flush())


def test_a_will_has_the_rights_of_its_owner(running):
    with running.client("boss") as boss:
        boss.subscribe("mail/+/do/+", "mail/alice/msg/+")
        boss.flush()
        for topic, payload in (("mail/alice/msg/9", b"forged"), ("mail/bob/do/phone", b"mine")):
            bob = running.client("bob.phone", will=(topic, payload, 1, True))
            bob.close()
        got = boss.expect(mqtt.PUBLISH, timeout=5)
        assert (got.topic, got.payload) == ("mail/bob/do/phone", b"mine")
        assert boss.flush() == []
    with running.client("boss") as boss:  # a device's RETAIN counts for nothing
        boss.subscribe("mail/bob/do/phone")
        assert boss.flush() == []


def test_an_administrator_reads_and_does_not_write(running, bridge):
    with running.client("boss") as boss:
        assert boss.subscribe("#", "$SYS/#") == [1, 1]
        boss.flush()
        say(bridge, "mail/alice/msg/4")
        boss.send(mqtt.publish("mail/alice/msg/5", b"forged", qos=1))
        assert [got.topic for got in boss.flush() if got.kind == mqtt.PUBLISH] == ["mail/alice/msg/4"]


def test_figures_are_under_sys_for_administrators(running):
    with running.client("boss") as boss:
        assert boss.subscribe("$SYS/#") == [1]
        figures = {got.topic: float(got.payload) for got in boss.flush()}
    assert figures["$SYS/broker/clients/connected"] >= 0
    assert figures["$SYS/broker/retained messages/count"] >= 0
