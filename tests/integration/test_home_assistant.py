"""Home Assistant finds a user's mail by itself, at the embedded broker and at a mosquitto with our rules."""

from __future__ import annotations

import json

import pytest

from bridge.contract import discovery
from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.outside import OutsideSystem
from tests.support.system import System
from tests.support.waiting import until

TOPIC = "homeassistant/device/mail_alice/config"
FILTERS = ("homeassistant/device/+/config", "homeassistant/+/+/config")


class Home:
    """Home Assistant with a login, as far as discovery goes."""

    def __init__(self, address, login):
        self.client = mqtt.Raw(address)
        self.client.send(mqtt.connect("ha", username=login["username"], password=login["password"], keepalive=60))
        assert self.client.expect(mqtt.CONNACK).body[1] == 0

    def finds(self, *filters):
        """What is retained below the filters, by topic."""
        assert self.client.subscribe(*filters) == [1] * len(filters)
        with_retained = [packet for packet in self.client.flush() if packet.kind == mqtt.PUBLISH]
        self.client.send(mqtt.unsubscribe(*filters))
        self.client._until(mqtt.UNSUBACK, acknowledge=True)
        return {packet.topic: packet.payload for packet in with_retained}

    def says(self, topic, payload):
        self.client.send(mqtt.publish(topic, payload, qos=0))
        self.client.flush()

    def close(self):
        self.client.close()


def retained(address, login, topic):
    """What a fresh connection is told of a topic."""
    home = Home(address, login)
    try:
        client = home.client
        client.send(mqtt.subscribe((topic, 0)))
        got = [packet for packet in client.flush() if packet.kind == mqtt.PUBLISH]
        return got[0].payload if got else b""
    finally:
        home.close()


def published(system, log="serve"):
    """Each discovery that went out: its topic, and whether it went away."""
    lines = (system.directory / f"{log}.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if '"discovery_published"' in line]
    return [(event["topic"], event["gone"]) for event in events]


@pytest.fixture(params=["embedded", "mosquitto"])
def system(request, tmp_path):
    if request.param == "mosquitto":
        need("mosquitto")
    kind = System(tmp_path) if request.param == "embedded" else OutsideSystem(tmp_path, "mosquitto")
    with kind as running:
        for name in ("alice", "bob")[: 1 if request.param == "mosquitto" else 2]:
            running.run("user", "add", name, "--address", f"{name}@example.org")
        running.start("serve")
        running.wait_connected()
        yield running


def address_of(system):
    if isinstance(system, OutsideSystem):
        return "127.0.0.1", system.broker.port
    return "127.0.0.1", system.mqtt_port()


def added(system, user, device, *options):
    return json.loads(system.run("device", "add", user, device, *options, "--json").stdout)


def test_it_is_announced_with_a_device_for_it_and_goes_with_that(system):
    phone = added(system, "alice", "phone")
    login = added(system, "alice", "ha", "--for", "homeassistant")
    bob = added(system, "bob", "ha", "--for", "homeassistant")
    address = address_of(system)
    until(lambda: retained(address, login, TOPIC), what="the announcement")
    found = json.loads(retained(address, phone, TOPIC))
    assert found["origin"]["name"] == "Postbell"
    assert found["components"]["text"]["state_topic"] == "mail/alice/text"

    home = Home(address, login)
    until(lambda: retained(address, bob, TOPIC.replace("alice", "bob")), what="bob's as well")
    assert set(home.finds(*FILTERS)) == {TOPIC}, "nobody finds another user's"
    before = len(published(system))
    home.says("homeassistant/status", b"offline")
    home.says("homeassistant/status", b"online")
    until(lambda: len(published(system)) == before + 2, what="all to be told anew")
    home.close()

    system.run("device", "revoke", "alice", "ha")
    until(lambda: not retained(address, phone, TOPIC), what="it to go with its device")
    assert published(system)[-1] == (TOPIC, True)


def test_what_went_while_the_bridge_was_down_goes_when_it_comes_back(tmp_path):
    with System(tmp_path) as system:
        login = system.add("alice")
        system.run("device", "add", "alice", "ha", "--for", "homeassistant")
        broker = system.start(module="broker", log="broker")
        bridge = system.start("bridge")
        system.wait_connected()
        address = "127.0.0.1", system.mqtt_port()
        until(lambda: retained(address, login, TOPIC), what="the announcement")
        system.stop(bridge)
        system.run("device", "revoke", "alice", "ha")
        assert retained(address, login, TOPIC)
        system.start("bridge", log="again")
        until(lambda: not retained(address, login, TOPIC), what="it to go")
        assert broker.poll() is None


def test_it_goes_with_the_user_and_stays_with_a_second_device(tmp_path):
    with System(tmp_path) as system:
        system.serve()
        system.run("user", "add", "alice", "--address", "alice@example.org")
        added(system, "alice", "ha", "--for", "homeassistant")
        added(system, "alice", "cabin", "--for", "homeassistant")
        until(lambda: published(system) == [(TOPIC, False)], what="one announcement")
        system.run("device", "revoke", "alice", "ha")
        system.run("user", "remove", "alice", "--yes")
        until(lambda: published(system) == [(TOPIC, False), (TOPIC, True)], what="it to go with the user")


def test_it_may_be_switched_off_and_have_another_prefix(tmp_path):
    with System(tmp_path, POSTBELL_HOMEASSISTANT__PREFIX="home/ha") as system:
        system.serve()
        system.run("user", "add", "alice", "--address", "alice@example.org")
        added(system, "alice", "ha", "--for", "homeassistant")
        until(lambda: published(system) == [("home/ha/device/mail_alice/config", False)], what="the announcement")
    (tmp_path / "off").mkdir()
    with System(tmp_path / "off", POSTBELL_HOMEASSISTANT__ENABLED="false") as system:
        system.serve()
        system.run("user", "add", "alice", "--address", "alice@example.org")
        login = added(system, "alice", "ha", "--for", "homeassistant")
        home = Home(("127.0.0.1", system.mqtt_port()), login)
        assert home.client.subscribe(discovery.any_topic("homeassistant")) == [0x80], "nothing is granted there"
        home.close()
        assert published(system) == []
