"""A mosquitto that is bridged to the embedded broker has the retained messages that this has, and no ghosts."""

from __future__ import annotations

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.waiting import until


@pytest.fixture
def running(tmp_path):
    (tmp_path / "ours").mkdir()
    broker = EmbeddedBroker(tmp_path / "ours")
    broker.logins.add("bridge", "bridge")
    broker.logins.add("alice.hub")
    with broker:
        yield broker


def bridged(directory, broker):
    host, port = broker.address()
    return Mosquitto(
        directory,
        "connection postbell",
        f"address {host}:{port}",
        "topic mail/alice/# both 1",
        "cleansession false",
        "notifications false",
        "remote_username alice.hub",
        f"remote_password {password_of('alice.hub')}",
        "restart_timeout 1",
    )


def say(bridge, topic, payload):
    bridge.send(mqtt.publish(topic, payload, qos=1, packet_id=1, retain=True))
    bridge.expect(mqtt.PUBACK)


def retained(address, **login):
    """What a broker has below alice's topics."""
    with mqtt.Raw(address) as client:
        client.send(mqtt.connect("looks", **login) + mqtt.subscribe(("mail/alice/#", 0)))
        got = client.flush()
        return {packet.topic: packet.payload for packet in got if packet.kind == mqtt.PUBLISH and packet.retain}


def test_retained_copies_stay_equal(running, tmp_path):
    with running.client("bridge") as bridge, bridged(tmp_path, running) as other:

        def equal():
            login = {"username": "bridge2", "password": password_of("bridge2")}
            return retained(other.address()) == retained(running.address(), **login)

        running.logins.add("bridge2", "bridge")
        say(bridge, "mail/alice/text", b"first")
        for number in range(5):
            say(bridge, f"mail/alice/msg/{number}", b"%d" % number)
        until(lambda: len(retained(other.address())) == 6, what="the retained messages at the other broker")
        say(bridge, "mail/alice/text", b"second")
        for number in range(4):
            say(bridge, f"mail/alice/msg/{number}", b"")
        until(lambda: len(retained(other.address())) == 2, what="what is gone to be gone there as well")
        until(equal, what="both to have the same")
        assert retained(other.address()) == {"mail/alice/text": b"second", "mail/alice/msg/4": b"4"}
    assert '"protocol": 4' in running.logged()
    assert '"connection_refused"' not in running.logged()
