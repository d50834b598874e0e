"""bob, or a stranger, against alice: on the real process, over real sockets."""

from __future__ import annotations

import pytest

from tests.support import mqtt5_client as mqtt5
from tests.support import mqtt_client as mqtt
from tests.support.mqtt5_client import Client5
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.waiting import until

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


@pytest.mark.parametrize("options", [1, 1 | 4, 1 | 8, 1 | 0x10, 1 | 0x20])
def test_no_option_opens_a_filter(running, bridge, options):
    say(bridge, "mail/alice/msg/1", retain=True)
    with Client5(running, "bob.phone") as bob:
        shared = [] if options & 4 else [f"$share/bob/{topic_filter}" for topic_filter in FILTERS]
        wanted = [(topic_filter, options) for topic_filter in (*FILTERS, *shared)]
        assert bob.subscribed(*wanted, subscription_id=7) == [0x87] * len(FILTERS) + [0x9E] * len(shared)
        say(bridge, "mail/alice/msg/2")
        assert bob.flush() == []


def test_a_number_for_a_topic_is_one_connection_s_and_gives_no_right(running):
    """Topic aliases: neither a sibling's, nor those of the connection before; and a forbidden topic stays forbidden."""
    own, foreign = "mail/bob/do/phone", "mail/alice/do/phone"
    with running.client("boss") as boss, Client5(running, "bob.phone") as bob:
        boss.subscribe("mail/+/do/+")
        bob.send(mqtt5.publish(own, b"1", qos=1, alias=1) + mqtt5.publish(foreign, b"2", qos=1, alias=2))
        bob.send(mqtt5.publish("", b"3", qos=1, alias=1) + mqtt5.publish("", b"4", qos=1, alias=2))
        assert [mqtt5.code(bob.expect(mqtt.PUBACK)) for _ in range(4)] == [0, 0x87, 0, 0x87]
        for username in ("alice.phone", "bob.phone"):
            with Client5(running, username) as other:
                other.send(mqtt5.publish("", b"5", qos=1, alias=1))
                assert mqtt5.code(other.expect(mqtt.DISCONNECT)) in (0x82, 0x94)
        assert [(got.topic, got.payload) for got in boss.flush()] == [(own, b"1"), (own, b"3")]


def test_identifiers_are_told_to_who_gave_them(running, bridge):
    with Client5(running, "alice.phone") as phone, Client5(running, "alice.tablet") as tablet:
        phone.subscribed(("mail/alice/#", 1), subscription_id=11)
        phone.subscribed(("mail/alice/event", 1), subscription_id=12)
        tablet.subscribed(("mail/alice/+", 1), subscription_id=21)
        phone.flush()
        tablet.flush()
        say(bridge, "mail/alice/event")
        told = [mqtt5.about(client.flush()[-1])["subscription_id"] for client in (phone, tablet)]
    assert [sorted(each) for each in told] == [[11, 12], [21]]


def test_where_an_answer_is_to_go_is_only_told(running, bridge):
    """A response topic is data: it lets nothing through that its sender could not publish himself."""
    bridge.subscribe("mail/bob/do/phone")
    with Client5(running, "alice.phone") as alice, Client5(running, "bob.phone") as bob:
        alice.subscribed(("mail/alice/#", 1))
        alice.flush()
        told = {"response_topic": "mail/alice/event", "correlation_data": b"forged"}
        bob.send(mqtt5.publish("mail/bob/do/phone", b"request", qos=1, **told))
        assert mqtt5.code(bob.expect(mqtt.PUBACK)) == 0
        assert [got.payload for got in bridge.flush()] == [b"request"]
        assert alice.flush() == bob.flush() == []


@pytest.mark.parametrize("ending", ["expired", "clean", "revoked"])
def test_a_will_that_waited_has_the_rights_of_its_owner(running, ending):
    """Whatever sends it: its delay, the end of its session; and of a login that is revoked none is sent."""
    running.logins.add("eve.phone")
    delay_s, expiry_s = (1, 1) if ending == "expired" else (99, 99)
    how = {"clean": False, "session_expiry": expiry_s, "will_properties": {"will_delay": delay_s}}
    with running.client("boss") as boss:
        boss.subscribe("mail/+/do/+", "mail/alice/msg/+")
        boss.flush()
        for topic, payload in (("mail/alice/msg/9", b"forged"), ("mail/eve/do/phone", b"mine")):
            with Client5(running, "eve.phone", will=(topic, payload, 2, True), **how):
                pass
            if ending == "clean":
                running.client("eve.phone").close()
        if ending == "revoked":
            before = running.logged().count('"logins_read"')
            running.logins.remove("eve.phone")
            until(lambda: running.logged().count('"logins_read"') > before, what="the end of the login")
            assert boss.flush() == []
        else:
            assert boss.expect(mqtt.PUBLISH, timeout=10).payload == b"mine"
            assert boss.flush() == []
