"""Random and wrong input to sessions of MQTT 5, beside those of 3.1.1; and users against each other with all it adds.

Seeded by --fuzz-seed, bounded by --fuzz-seconds; what goes wrong names the seed of its round.
"""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.fuzz.test_fuzz_broker import LOGINS, may_see, resident, some_filter, some_topic, spoil
from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5
from tests.support.mqtt_broker import EmbeddedBroker, MosquittoWithOurRules, password_of

pytestmark = pytest.mark.fuzz

KINDS = (1, 2, 3, 8, 9, 11, 17, 18, 19, 21, 22, 23, 24, 25, 26, 28, 31, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42)
OF_PUBLISH = (1, 2, 3, 8, 9, 35, 38)
OF_CONNECT = (17, 23, 25, 33, 34, 38, 39)
OF_WILL = (1, 2, 3, 8, 9, 24, 38)


def some_properties(dice, usual):
    """Mostly those that belong here, with values at their bounds and within."""
    found = []
    for _ in range(dice.choice([0, 0, 1, 2, 4])):
        kind = dice.choice(usual) if dice.random() < 0.95 else dice.choice(KINDS)
        texts = dice.choice(["", "ü", "mail/alice/re/phone", "x" * 300, b"\xff", "\0", "a/+"])
        if kind in (3, 8, 9, 18, 21, 22, 26, 28, 31):
            found.append((kind, texts))
        elif kind == 38:
            found.append((kind, (texts, dice.choice(["", "v"]))))
        else:
            size = {17: 4, 2: 4, 24: 4, 39: 4, 11: 3, 19: 2, 33: 2, 34: 2, 35: 2}.get(kind, 1)
            found.append((kind, dice.choice([0, 1, 2, 200, 256**size - 1]) % 256**size))
    return found


def a_packet(dice, username="alice.phone"):
    """A packet of any kind, mostly right."""
    topic = dice.choice(["mail/alice/do/phone", "mail/alice/box", "", "a/+", "$SYS/x", "$share/g/mail/alice/#", "ü"])
    payload = dice.randbytes(dice.choice([0, 1, 10, 300, 3000]))
    packet_id = dice.choice([0, 1, 1, 2, 3, 65535])
    return dice.choice(
        [
            lambda: mqtt5.connect(
                dice.choice(["", "c", "ü" * 30]),
                username=username,
                password=password_of(username),
                clean=dice.random() < 0.5,
                keepalive=dice.randrange(65536),
                will=dice.choice([None, (topic, payload, dice.randrange(3), dice.random() < 0.5)]),
                having=some_properties(dice, OF_CONNECT),
                will_having=some_properties(dice, OF_WILL),
            ),
            lambda: mqtt5.publish(
                topic,
                payload,
                qos=dice.randrange(3),
                packet_id=packet_id,
                retain=dice.random() < 0.3,
                dup=dice.random() < 0.3,
                having=some_properties(dice, OF_PUBLISH),
            ),
            lambda: mqtt5.subscribe(
                *((topic, dice.randrange(64)) for _ in range(dice.randrange(4))),
                packet_id=packet_id,
                having=some_properties(dice, (11, 38)),
            ),
            lambda: mqtt5.subscribe(("mail/alice/#", dice.choice([0, 1, 1 | 16, 1 | 4 | 8])), packet_id=packet_id),
            lambda: mqtt5.unsubscribe(topic, packet_id=packet_id, having=some_properties(dice, (38,))),
            lambda: mqtt5.answer(
                dice.choice([4, 5, 6, 7]), packet_id, dice.choice([0, 0, 16, 128, 146, 151]), having=()
            ),
            lambda: mqtt5.answer(4, packet_id, 0, having=some_properties(dice, (31, 38))),
            lambda: mqtt5.disconnect(dice.choice([0, 4, 128, 130]), having=some_properties(dice, (17, 31, 38))),
            lambda: mqtt.packet(mqtt5.AUTH, dice.randbytes(dice.randrange(4))),
            lambda: mqtt.packet(mqtt.PINGREQ),
        ]
    )()


def five(broker, username, **options):
    """A client of version 5, let in."""
    client = mqtt5.Raw(broker.address())
    client.send(mqtt5.connect(options.pop("client_id", username), username=username, **options))
    connack = client.expect(mqtt.CONNACK)
    assert isinstance(connack, mqtt5.Packet)
    assert connack.code == 0, f"CONNACK code {connack.code:#x}"
    client.connack = connack
    return client


def attack(broker, dice):
    """One session that does anything, right up to some point and mostly well-formed behind it."""
    attacker = mqtt.Raw(broker.address())
    attacker.socket.settimeout(0.01)
    with contextlib.suppress(OSError):
        if dice.random() < 0.9:
            life = [(mqtt5.SESSION_EXPIRY, dice.choice([0, 1, 3600]))]
            having = life if dice.random() < 0.5 else some_properties(dice, OF_CONNECT)
            attacker.send(
                mqtt5.connect(
                    "x",
                    username="alice.phone",
                    password=password_of("alice.phone"),
                    clean=dice.random() < 0.3,
                    having=having,
                )
            )
        for _ in range(dice.randrange(1, 12)):
            data = a_packet(dice)
            attacker.send(spoil(dice, data) if dice.random() < 0.3 else data)
        if dice.random() < 0.2:
            attacker.socket.shutdown(dice.choice([socket.SHUT_WR, socket.SHUT_RDWR]))
    return attacker


def test_hostile_sessions_harm_nobody_else(rounds, tmp_path):
    """No crash, no hang, no growth; neighbours of both versions are served after each attack, alice herself as well."""
    config = "[limits]\nqueue = 100\nlogin_failures = 100000\n[log]\nlevel = 'error'\n"
    with EmbeddedBroker(tmp_path, config=config) as broker:
        broker.logins.add("bridge", "bridge")
        for name in ("alice.phone", "bob.phone", "bob.tablet"):
            broker.logins.add(name)
        bridge = broker.client("bridge")
        bob, tablet, before = (
            broker.client("bob.phone"),
            five(broker, "bob.tablet", password=password_of("bob.tablet")),
            0,
        )
        bob.subscribe("mail/bob/box")
        tablet.subscribe("mail/bob/box")
        for number, (seed, dice) in enumerate(rounds(0.5)):
            attackers = [attack(broker, dice) for _ in range(10)]
            bridge.send(b"".join(mqtt.publish(f"mail/{user}/box", b"x" * 20) for user in ("alice", "bob")))
            try:
                bridge.flush()
                for client in (bob, tablet):
                    assert {got.topic for got in client.flush()} == {"mail/bob/box"}
                for attacker in attackers:
                    attacker.close()
                five(broker, "alice.phone", password=password_of("alice.phone")).close()
            except (AssertionError, OSError) as error:
                raise AssertionError(
                    f"--fuzz-seed {seed}: somebody was not served: {broker.logged()[-3000:]}"
                ) from error
            if number == 20:
                before = resident(broker.process.pid)
        assert "Traceback" not in broker.logged()
        assert broker.process.poll() is None
        assert not before or resident(broker.process.pid) - before < 30 * 2**20


NUMBERS = {device: number for number, device in enumerate(LOGINS, 1)}


class Device:
    """One connection of one login, in one of the two versions; it understands what it gets."""

    def __init__(self, broker, dice, name):
        self.name = name
        self.newer = dice.random() < 0.7
        self._dice = dice
        self._aliases = {}
        client_id = dice.choice(["", "x", "bridge", *LOGINS])
        clean = not client_id or dice.random() < 0.4
        will = None
        if dice.random() < 0.5:
            will = (some_topic(dice), name.encode(), dice.randrange(2), dice.random() < 0.5)
        if self.newer:
            self.client = five(
                broker,
                name,
                password=password_of(name),
                client_id=client_id,
                clean=clean,
                will=will,
                will_having=[(mqtt5.WILL_DELAY, dice.choice([0, 1, 2])), *self.marks(name)],
                having=[
                    (mqtt5.SESSION_EXPIRY, dice.choice([0, 1, 60])),
                    (mqtt5.ALIAS_MAXIMUM, dice.choice([0, 1, 3, 50])),
                    (mqtt5.RECEIVE_MAXIMUM, dice.choice([1, 3, 1000])),
                ],
            )
            self._most = min(self.client.connack.the(mqtt5.ALIAS_MAXIMUM) or 0, 4)
        else:
            self.client = broker.client(name, client_id=client_id, clean=clean, will=will)

    def marks(self, writer):
        """Properties by which what arrives tells who wrote it; the response topic is anybody's."""
        return [
            (mqtt5.RESPONSE_TOPIC, some_topic(self._dice)),
            (mqtt5.CORRELATION_DATA, writer.encode()),
            (mqtt5.USER, ("from", writer)),
        ]

    def speak(self):
        """Subscribe and publish something, allowed or not."""
        dice, flags = self._dice, {"qos": self._dice.randrange(2), "retain": self._dice.random() < 0.3}
        with contextlib.suppress(OSError):
            if not self.newer:
                self.client.send(mqtt.subscribe(*((some_filter(dice), 1) for _ in range(2))))
                self.client.send(mqtt.publish(some_topic(dice), self.name.encode(), **flags))
                return
            options = dice.randrange(2) | dice.choice([0, 4]) | dice.choice([0, 8]) | dice.choice([0, 16, 32])
            mine = NUMBERS[self.name] * 1000 + dice.randrange(1000)
            having = [(mqtt5.SUBSCRIPTION_ID, mine)] if dice.random() < 0.7 else []
            self.client.send(mqtt5.subscribe(*((some_filter(dice), options) for _ in range(2)), having=having))
            marks, topic = self.marks(self.name), some_topic(dice)
            if self._most and dice.random() < 0.6:
                alias = (mqtt5.ALIAS, dice.randint(1, self._most))
                self.client.send(mqtt5.publish(topic, self.name.encode(), **flags, having=[*marks, alias]))
                self.client.send(mqtt5.publish("", self.name.encode(), **flags, having=[alias, *marks]))
            else:
                self.client.send(mqtt5.publish(topic, self.name.encode(), **flags, having=marks))

    def judge(self, got):
        """What is wrong with a message that it got, or nothing."""
        if not self.newer:
            return "" if may_see(self.name, got.topic, got.payload) else f"{got.topic} {got.payload!r}"
        topic, alias = got.topic, got.the(mqtt5.ALIAS)
        if alias is not None and topic:
            self._aliases[alias] = topic
        topic = topic or self._aliases.get(alias, "an alias of nothing")
        if not may_see(self.name, topic, got.payload):
            return f"{topic} {got.payload!r}"
        foreign = [one for one in got.having(mqtt5.SUBSCRIPTION_ID) if one // 1000 != NUMBERS[self.name]]
        if foreign:
            return f"{topic} by somebody else's subscription {foreign}"
        writers = {writer for _, writer in got.having(mqtt5.USER)} | {
            data.decode() for data in got.having(mqtt5.CORRELATION_DATA)
        }
        return f"{topic} {got.payload!r} with the properties of {writers}" if writers - {got.payload.decode()} else ""


class Crowd:
    """Devices of both versions and the bridge, doing whatever the dice say."""

    def __init__(self, broker, dice):
        self._broker = broker
        self._dice = dice
        self._devices = []
        self._bridge = five(broker, "bridge", password=password_of("bridge"))
        self.seen = 0

    def connect(self):
        with contextlib.suppress(AssertionError):
            self._devices.append(Device(self._broker, self._dice, self._dice.choice(list(LOGINS))))

    def speak(self):
        for device in self._devices:
            device.speak()

    def deliver(self):
        """The bridge publishes what is rightful, some of it by aliases and some of it not for long."""
        for number in range(5):
            topic = some_topic(self._dice)
            writer = f"bridge {topic}"
            having: list = [(mqtt5.CORRELATION_DATA, writer.encode()), (mqtt5.USER, ("from", writer))]
            if self._dice.random() < 0.3:
                having.append((mqtt5.MESSAGE_EXPIRY, self._dice.choice([0, 1, 60])))
            retain = self._dice.random() < 0.5
            if self._bridge.connack.the(mqtt5.ALIAS_MAXIMUM):
                having.append((mqtt5.ALIAS, 1))
                self._bridge.send(mqtt5.publish(topic, writer.encode(), qos=1, retain=retain, having=having))
                topic = "" if number % 2 else topic
            self._bridge.send(mqtt5.publish(topic, writer.encode(), qos=1, retain=retain, having=having))
            self._bridge.flush()

    def check(self, seed):
        """Nobody has got anything that is not theirs."""
        for device in self._devices:
            with contextlib.suppress(AssertionError, OSError):
                for got in device.client.flush():
                    self._look(device, got, seed)
            if self._dice.random() < 0.3:
                self._leave(device)
        self._devices = [each for each in self._devices if each.client.socket.fileno() >= 0][-8:]

    def _look(self, device, got, seed):
        if got.kind == mqtt.PUBLISH:
            self.seen += 1
            if wrong := device.judge(got):
                pytest.fail(f"--fuzz-seed {seed}: {device.name} got {wrong}")

    def _leave(self, device):
        with contextlib.suppress(OSError):
            if device.newer and self._dice.random() < 0.3:
                device.client.send(mqtt5.disconnect(self._dice.choice([0, 4])))
        device.client.close()

    def close(self):
        for device in self._devices:
            device.client.close()
        self._bridge.close()


@pytest.mark.parametrize("name", ["embedded", "mosquitto"])
def test_no_byte_crosses_users(rounds, tmp_path, name):
    """Neither topic, payload, property, alias nor identifier: on ours, and with our rules on mosquitto."""
    if name == "mosquitto":
        broker: MosquittoWithOurRules | EmbeddedBroker = MosquittoWithOurRules(tmp_path, {"bridge": "bridge", **LOGINS})
    else:
        broker = ours = EmbeddedBroker(tmp_path, config="[limits]\nlogin_failures = 100000\n[log]\nlevel = 'error'\n")
        for device, role in {"bridge": "bridge", **LOGINS}.items():
            ours.logins.add(device, role)
    seen = []
    with broker:
        for seed, dice in rounds(0.3, enough=lambda: sum(seen) > 100):
            crowd = Crowd(broker, dice)
            for _ in range(6):
                for action in (crowd.connect, crowd.connect, crowd.speak, crowd.deliver):
                    action()
                crowd.check(seed)
            crowd.close()
            seen.append(crowd.seen)
