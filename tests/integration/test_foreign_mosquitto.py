"""mosquitto's programs: mosquitto_sub and mosquitto_pub in each version against both brokers, a bridge against ours.

A bridge sets a bit in the protocol level, and keeps what is retained here equal to what is retained there.
"""

from __future__ import annotations

import json
import subprocess

import msgpack
import pytest

from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.system import System
from tests.support.waiting import until

VERSIONS = pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
REQUESTS = "mail/alice/do/phone"
PATIENCE_S = 30


class Typed:
    """What somebody types who is alice's phone."""

    def __init__(self, broker, version):
        self._broker = broker
        self._version = version

    def start(self, program, *options):
        host, port = self._broker.address()
        login = ("-u", "alice.phone", "-P", password_of("alice.phone"), "-i", "alice.phone")
        command = (need(program), "-h", host, "-p", str(port), "-V", self._version, *login, *options)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, program, *options):
        """What it prints, and nothing may be wrong."""
        process = self.start(program, *options)
        output, complaints = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, complaints) == (0, ""), (process.returncode, complaints)
        return output.splitlines()

    def subscribe(self, *options):
        """With a session that stays for an hour."""
        stays = ("-x", "3600") if self._version == "mqttv5" else ()
        return self.run("mosquitto_sub", "-c", *stays, "-q", "1", "-F", "%r %t %p", *options)


def deliver(bridge, path, payload, *, retain=False):
    bridge.send(mqtt.publish(f"mail/alice/{path}", payload, qos=1, retain=retain))
    bridge.expect(mqtt.PUBACK)


@VERSIONS
def test_mosquitto_sub_is_told_what_is_retained_and_what_waited(broker, version):
    phone, bridge = Typed(broker, version), broker.client("bridge")
    deliver(bridge, "text", b"kept", retain=True)
    assert phone.subscribe("-t", "mail/alice/+", "-C", "1") == ["1 mail/alice/text kept"]
    for number in range(3):
        deliver(bridge, "event", b"%d" % number)
    told = phone.subscribe("-t", "mail/alice/+", "-C", "4")
    assert told[:3] == [f"0 mail/alice/event {number}" for number in range(3)]
    bridge.close()


@VERSIONS
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_mosquitto_pub_is_heard_once(broker, version, qos):
    bridge = broker.client("bridge")
    bridge.subscribe(REQUESTS)
    Typed(broker, version).run("mosquitto_pub", "-q", qos, "-t", REQUESTS, "-m", "a request")
    Typed(broker, version).run("mosquitto_pub", "-q", "1", "-t", REQUESTS, "-m", "the next one")
    assert [bridge.expect(mqtt.PUBLISH).payload for _ in range(2)] == [b"a request", b"the next one"]
    bridge.close()


@VERSIONS
def test_the_will_of_mosquitto_sub(broker, version):
    bridge = broker.client("bridge")
    bridge.subscribe(REQUESTS)
    deliver(bridge, "text", b"kept", retain=True)
    will = ("--will-topic", REQUESTS, "--will-payload", "gone", "--will-qos", "1")
    phone = Typed(broker, version).start("mosquitto_sub", "-t", "mail/alice/text", *will)
    assert phone.stdout.readline() == "kept\n"
    phone.kill()
    phone.communicate()
    assert bridge.expect(mqtt.PUBLISH).payload == b"gone"
    bridge.close()


@VERSIONS
def test_mosquitto_sub_is_taken_over_and_takes_over(broker, version):
    bridge = broker.client("bridge")
    deliver(bridge, "text", b"kept", retain=True)
    phone = Typed(broker, version).start("mosquitto_sub", "-t", "mail/alice/text")
    assert phone.stdout.readline() == "kept\n"
    other = broker.client("alice.phone")
    if version == "mqttv5" and isinstance(broker, EmbeddedBroker):
        assert phone.communicate(timeout=PATIENCE_S)[0] == ""  # it is told why, and stays away
    else:
        assert other.until_closed() == []  # it comes back, as it does after any other end
        assert phone.stdout.readline() == "kept\n"
        phone.terminate()
        phone.communicate()
    other.close()
    bridge.close()


class Local(Mosquitto):
    """A household's mosquitto, bridged to Postbell by its default of announcing itself as a bridge."""

    def __init__(self, directory, login, remote_port, *topics):
        super().__init__(
            directory,
            f"persistence_location {directory}/",
            "persistence true",
            "connection postbell",
            f"address 127.0.0.1:{remote_port}",
            f"remote_username {login['username']}",
            f"remote_password {login['password']}",
            f"remote_clientid {login['username']}",
            "cleansession false",
            "notifications false",
            "restart_timeout 1",
            *topics,
        )
        settings = self.configuration.read_text().replace("persistence false\n", "")
        self.configuration.write_text(settings)

    def retained(self, topic_filter="mail/#"):
        return retained(self.address(), topic_filter)


def retained(address, topic_filter="mail/alice/#", **login):
    """What a broker has retained, by topic."""
    with mqtt.Raw(address) as reader:
        reader.send(mqtt.connect("reader", **login))
        assert reader.expect(mqtt.CONNACK).body[1] == 0
        reader.send(mqtt.subscribe((topic_filter, 0)))
        return {got.topic: got.payload for got in reader.flush() if got.kind == mqtt.PUBLISH and got.retain}


def mail(number):
    return f"From: Ada <ada@example.org>\nSubject: mail {number}\n\nWhat it says.\n".encode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv50"])
def test_a_bridge_keeps_what_is_retained_equal(tmp_path, version):
    with System(tmp_path) as system:
        hub = system.add("alice", "hub")
        phone = json.loads(system.run("device", "add", "alice", "phone", "--json").stdout)
        system.serve()
        ours = "127.0.0.1", system.mqtt_port()
        reader = json.loads(system.run("device", "add", "alice", "reader", "--json").stdout)
        login = {"username": reader["username"], "password": reader["password"]}

        def equal(count):
            """Whether both have the same, with so many mails among it."""
            here = retained(ours, **login)
            mails = [topic for topic in here if "/msg/" in topic]
            return len(mails) == count and here == local.retained()

        def mark_seen(publish):
            ids = [topic.rpartition("/")[2] for topic in retained(ours, "mail/alice/msg/+", **login)]
            publish(msgpack.packb([1, 9, "seen", *ids]))

        for number in range(5):
            system.send(mail(number), "alice@example.org")
        system.wait_drained()
        topics = "topic mail/alice/# in 1", "topic mail/alice/do/hub out 1"
        (tmp_path / "local").mkdir()
        local = Local(tmp_path / "local", hub, ours[1], f"bridge_protocol_version {version}", *topics)
        with local:
            until(lambda: equal(5), what="what was retained before, on both")
            for number in range(5, 25):
                system.send(mail(number), "alice@example.org")
            until(lambda: equal(25), what="25 mails on both")
            with mqtt.Raw(local.address()) as automation:
                automation.send(mqtt.connect("automation"))
                automation.expect(mqtt.CONNACK)
                mark_seen(lambda request: automation.send(mqtt.publish("mail/alice/do/hub", request, qos=1)))
                automation.expect(mqtt.PUBACK)
                until(lambda: equal(0), what="no mail on either, asked for through the bridge")
            for number in range(25, 30):
                system.send(mail(number), "alice@example.org")
            until(lambda: equal(5), what="5 more on both")
        if version == "mqttv50":
            return  # mosquitto 2.0 asks for no session expiry here, so nothing waits for it
        with mqtt.Raw(ours) as device:
            device.send(mqtt.connect("phone", username=phone["username"], password=phone["password"]))
            device.expect(mqtt.CONNACK)
            mark_seen(lambda request: device.send(mqtt.publish("mail/alice/do/phone", request, qos=1)))
            device.expect(mqtt.PUBACK)
        until(lambda: not retained(ours, "mail/alice/msg/+", **login), what="no mail, while the household is away")
        with local:
            until(lambda: equal(0), what="no mail on either, after the household was away")
