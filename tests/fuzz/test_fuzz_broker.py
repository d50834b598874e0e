"""Random and wrong input against the broker: packets, handshakes, and users against each other.

Seeded by --fuzz-seed, bounded by --fuzz-seconds; what goes wrong names the seed of its round.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker import forwarded, proxy
from broker.errors import HandshakeError, ProtocolError
from broker.networks import parse_network, plain
from broker.wire import codec
from broker.wire.codec3 import CODEC_311
from broker.wire.frames import Frame, Packets
from tests.support import mqtt5_client as mqtt5
from tests.support import mqtt_client as mqtt
from tests.support.mqtt5_client import Client5
from tests.support.mqtt_broker import EmbeddedBroker, MosquittoWithOurRules, password_of
from tests.support.proxies import SIGNATURE, binary, line

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.fuzz


def a_packet(dice, username="alice.phone"):
    """A packet of any kind, mostly right."""
    topic = dice.choice(["mail/alice/do/phone", "mail/x", "", "a/+", "$SYS/x", "ü", "/".join("a" * 40)])
    payload = dice.randbytes(dice.choice([0, 1, 10, 300, 3000]))
    return dice.choice(
        [
            lambda: mqtt.connect(
                dice.choice(["", "c", "ü" * 30]),
                username=username,
                password=dice.choice([password_of(username), "wrong", ""]),
                clean=dice.random() < 0.5,
                keepalive=dice.randrange(65536),
                will=dice.choice([None, (topic, payload, dice.randrange(4), dice.random() < 0.5)]),
                level=dice.choice([3, 4, 4, 4, 5, 200]),
                extra_flags=dice.choice([0, 0, 0, 1, 8, 64]),
            ),
            lambda: mqtt.publish(topic, payload, qos=dice.randrange(4), packet_id=dice.randrange(65536)),
            lambda: mqtt.publish(topic, payload, retain=True, dup=dice.random() < 0.3),
            lambda: mqtt.subscribe(*((topic, dice.randrange(4)) for _ in range(dice.randrange(5)))),
            lambda: mqtt.subscribe(("mail/alice/#", 1), packet_id=dice.randrange(65536)),
            lambda: mqtt.unsubscribe(*(topic for _ in range(dice.randrange(3)))),
            lambda: mqtt.puback(dice.randrange(65536)),
            lambda: mqtt.packet(dice.randrange(16), dice.randbytes(dice.randrange(8)), dice.randrange(16)),
        ]
    )()


def some_properties(dice, topic, payload):
    """Of any packet, mostly in the wrong one."""
    told = {
        "message_expiry": dice.choice([0, 1, 2**32 - 1]), "response_topic": topic, "correlation_data": payload[:40],
        "user": [("a", topic), ("b", "")], "alias": dice.choice([0, 1, 16, 17]), "payload_format": dice.randrange(3),
        "subscription_id": dice.choice([1, 2**28 - 1]), "session_expiry": dice.choice([0, 1, 2**32 - 1]),
        "receive_maximum": dice.choice([0, 1, 9]), "packet_maximum": dice.choice([0, 20, 2**32 - 1]),
        "alias_maximum": dice.choice([0, 3]), "will_delay": 1, "request_problem": 0,
    }  # fmt: skip
    return {name: told[name] for name in dice.sample(list(told), dice.choice([0, 0, 1, 2]))}


def a_packet_of_5(dice, username="alice.phone"):
    """A packet of MQTT 5 of any kind, mostly right."""
    topic = dice.choice(["mail/alice/do/phone", "mail/x", "", "a/+", "$share/g/mail/alice/#", "ü"])
    payload = dice.randbytes(dice.choice([0, 1, 300]))
    told = some_properties(dice, topic, payload)
    return dice.choice(
        [
            lambda: mqtt5.connect(
                dice.choice(["", "c"]),
                username=username,
                password=dice.choice([password_of(username), "wrong"]),
                clean=dice.random() < 0.5,
                keepalive=dice.randrange(65536),
                will=dice.choice([None, (topic, payload, dice.randrange(4), dice.random() < 0.5)]),
                will_properties=some_properties(dice, topic, payload),
                **told,
            ),
            lambda: mqtt5.publish(topic, payload, qos=dice.randrange(4), packet_id=dice.randrange(65536), **told),
            lambda: mqtt5.subscribe(*((topic, dice.randrange(256)) for _ in range(dice.randrange(4))), **told),
            lambda: mqtt5.subscribe(("mail/alice/#", dice.choice([1, 5, 9, 0x11, 0x21])), **told),
            lambda: mqtt5.unsubscribe(*(topic for _ in range(dice.randrange(3)))),
            lambda: mqtt5.answer(dice.choice([4, 5, 6, 7]), dice.randrange(65536)),
            lambda: mqtt5.disconnect(dice.choice([0, 4, 0x81, 0xFF]), **told),
            lambda: mqtt.packet(dice.randrange(16), dice.randbytes(dice.randrange(8)), dice.randrange(16)),
        ]
    )()


def spoil(dice, data):
    """Some bytes changed, removed, doubled; or none."""
    damaged = bytearray(data)
    for _ in range(dice.choice([0, 0, 1, 3])):
        at = dice.randrange(len(damaged) + 1)
        damaged[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
    return bytes(damaged)


def decode_all(dice, data, limit):
    packets = Packets(limit)
    decoders: dict[int, Callable[[Frame], object]] = {
        mqtt.CONNECT: codec.connect,
        mqtt.PUBLISH: CODEC_311.publish,
        mqtt.PUBACK: CODEC_311.answer,
        mqtt.PUBREL: CODEC_311.answer,
        mqtt.SUBSCRIBE: functools.partial(CODEC_311.subscribe, most=1024),
        mqtt.UNSUBSCRIBE: functools.partial(CODEC_311.unsubscribe, most=1024),
    }
    with contextlib.suppress(ProtocolError):
        while data:
            cut = dice.randrange(1, 400)
            packets.feed(data[:cut])
            data = data[cut:]
            while (frame := packets.next()) is not None:
                assert len(frame.body) <= limit
                decoders.get(frame.kind, lambda _: None)(frame)


def test_any_bytes_are_a_packet_or_a_protocol_error(rounds):
    for seed, dice in rounds(0.2):
        stream = b"".join(spoil(dice, a_packet(dice)) for _ in range(dice.randrange(1, 6)))
        try:
            decode_all(dice, stream, dice.choice([10, 1000, 10**6]))
        except Exception as error:
            raise AssertionError(f"--fuzz-seed {seed}: {stream.hex()}") from error


ADDRESSES = ["192.0.2.7", "127.0.0.1", "10.0.0.1", "2001:db8::7", "::1", "::ffff:192.0.2.7"]


def a_header(dice):
    """What a proxy writes, of either version, mostly right."""
    source = dice.choice(ADDRESSES)
    return dice.choice(
        [
            lambda: line("TCP6" if ":" in source else "TCP4", source, dice.choice(ADDRESSES)),
            lambda: b"PROXY UNKNOWN" + bytes(dice.randrange(32, 127) for _ in range(dice.randrange(100))) + b"\r\n",
            lambda: binary(source, more=dice.randbytes(dice.randrange(40))),
            lambda: binary(source, command=dice.choice([0x20, 0x20, 0x21, dice.randrange(256)])),
            lambda: SIGNATURE + dice.randbytes(4) + dice.randbytes(dice.randrange(300)),
        ]
    )()


def test_any_bytes_are_a_proxys_header_or_refused(rounds):
    """However it is cut it is the same header, an address is one, and no more is taken than was there."""
    for seed, dice in rounds(0.1):
        data = spoil(dice, a_header(dice))
        try:
            whole = first_of(data, range(len(data), len(data) + 1))
            assert first_of(data, range(1, len(data) + 1)) == whole
        except Exception as error:
            raise AssertionError(f"--fuzz-seed {seed}: {data.hex()}") from error


def first_of(data, cuts):
    """What a header is read as when it comes so; None where it is none, or not all of it."""
    try:
        for cut in cuts:
            if cut and (header := proxy.read(data[:cut])) is not None:
                assert header.size <= min(cut, proxy.LONGEST)
                assert header.address is None or plain(header.address) == header.address
                return header
    except HandshakeError:
        return None
    return None


def test_whoever_is_named_in_a_request_is_an_address_or_the_proxy(rounds):
    proxies = (parse_network("10.0.0.0/8"), parse_network("127.0.0.1"))
    parts = [
        *ADDRESSES,
        "for=",
        ", ",
        ",",
        ";",
        '"',
        "\\",
        "[",
        "]:1",
        ":80",
        "proto=https",
        "unknown",
        "_x",
        " ",
        "=",
        "ü",
    ]
    for seed, dice in rounds(0.1):
        values = ["".join(dice.choices(parts, k=dice.randrange(20))) for _ in range(dice.randrange(3))]
        try:
            for pair in ((values, ()), ((), values), (values, values)):
                with contextlib.suppress(HandshakeError):
                    found = forwarded.client("10.0.0.9", forwarded_for=pair[0], forwarded=pair[1], proxies=proxies)
                    assert plain(found) == found
        except Exception as error:
            raise AssertionError(f"--fuzz-seed {seed}: {values}") from error


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_hostile_connections_harm_nobody_else(rounds, tmp_path):
    """No crash, no hang, no growth; a neighbour is served after each attack."""
    config = (
        "[limits]\nqueue = 100\nlogin_failures = 100000\n[log]\nlevel = 'error'\n[broker]\nwebsocket = '127.0.0.1:0'\n"
        "proxies = ['127.0.0.1']\n"
    )
    with EmbeddedBroker(tmp_path, config=config) as broker:
        broker.logins.add("bridge", "bridge")
        broker.logins.add("alice.phone")
        broker.logins.add("bob.phone")
        bob, before = broker.client("bob.phone"), 0
        for number, (seed, dice) in enumerate(rounds(0.4)):
            attackers = [dice.choice([attack, attack_by_websocket])(broker, dice) for _ in range(10)]
            for attacker in attackers:
                attacker.close()
            try:
                assert bob.flush() == []
            except (AssertionError, OSError) as error:
                raise AssertionError(
                    f"--fuzz-seed {seed}: the neighbour was not served: {broker.logged()[-3000:]}"
                ) from error
            if number == 20:
                before = resident(broker.process.pid)
        assert "Traceback" not in broker.logged()
        assert broker.process.poll() is None
        assert not before or resident(broker.process.pid) - before < 30 * 2**20


def attack(broker, dice):
    """One connection that says something, right up to some point and wrong from there."""
    attacker = mqtt.Raw(broker.address())
    attacker.socket.settimeout(0.01)
    with contextlib.suppress(OSError):
        if dice.random() < 0.3:
            attacker.send(spoil(dice, a_header(dice)))
        says, hello = dice.choice([(a_packet, mqtt.connect), (a_packet_of_5, mqtt5.connect)])
        if dice.random() < 0.7:
            attacker.send(hello("x", username="alice.phone", password=password_of("alice.phone")))
        for _ in range(dice.randrange(1, 8)):
            data = spoil(dice, says(dice))
            cut = dice.randrange(len(data) + 1)
            attacker.send(data[:cut])
            attacker.send(data[cut:])
        if dice.random() < 0.2:
            attacker.socket.shutdown(dice.choice([socket.SHUT_WR, socket.SHUT_RDWR]))
    return attacker


UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def websocket_frame(opcode, payload):
    """A frame whose mask changes nothing (RFC 6455 §5.2)."""
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + bytes(4) + payload


def attack_by_websocket(broker, dice):
    """The same inside WebSocket frames, some of them text, some spoilt, or no WebSocket at all."""
    attacker = mqtt.Raw(broker.address("websocket"))
    with contextlib.suppress(OSError):
        if dice.random() < 0.2:
            attacker.send(spoil(dice, a_header(dice)))
        attacker.send(UPGRADE if dice.random() < 0.8 else spoil(dice, UPGRADE))
        attacker.send(
            websocket_frame(2, mqtt.connect("x", username="alice.phone", password=password_of("alice.phone")))
        )
        for _ in range(dice.randrange(6)):
            frame = websocket_frame(dice.choice([2, 2, 2, 0, 1, 8, 9, 10]), spoil(dice, a_packet(dice)))
            attacker.send(spoil(dice, frame) if dice.random() < 0.2 else frame)
    return attacker


USERS, DEVICES = ("alice", "bob", "carol"), ("phone", "tablet")
LOGINS = {f"{user}.{device}": "device" for user in USERS for device in DEVICES}
DISCOVERY = "homeassistant/device"


def some_topic(dice):
    user, device = dice.choice(USERS), dice.choice(DEVICES)
    leaf = dice.choice(["msg/1", "msg/2", "box", "last", "text", "unread", "event", f"do/{device}", f"re/{device}"])
    others = [
        "mail-bridge/main/status",
        f"mail/{user}",
        "mail",
        f"{DISCOVERY}/mail_{user}/config",
        "homeassistant/status",
    ]
    return dice.choice([f"mail/{user}/{leaf}"] * 8 + others)


def some_filter(dice):
    levels = some_topic(dice).split("/")
    for _ in range(dice.randrange(3)):
        levels[dice.randrange(len(levels))] = dice.choice(["+", *USERS, *DEVICES, "re"])
    if dice.random() < 0.4:
        levels[dice.randrange(len(levels)) :] = ["#"]
    return "/".join(levels)


def may_see(device, topic, payload):
    """The rule, once more and in other words: own tree, own do and re, and only what a rightful writer wrote."""
    user, _, name = device.partition(".")
    levels = topic.split("/")
    readable = levels[:2] == ["mail", user] and (levels[2:3] not in (["do"], ["re"]) or levels[3:] == [name])
    readable = readable or (levels[0] == "mail-bridge" and levels[2:] == ["status"])
    readable = readable or topic == f"{DISCOVERY}/mail_{user}/config"
    writers = {b"bridge " + topic.encode()}
    if levels[2:3] == ["do"]:
        writers.add(f"{user}.{levels[3]}".encode())
    return readable and payload in writers


class Crowd:
    """Devices and the bridge, doing whatever the dice say."""

    def __init__(self, broker, dice):
        self._broker = broker
        self._dice = dice
        self._clients = {}
        self._bridge = broker.client("bridge")
        self.seen = 0

    def connect(self):
        device = self._dice.choice(list(LOGINS))
        names = ["", "x", "bridge", *LOGINS]
        client_id = self._dice.choice(names)
        will = None
        if self._dice.random() < 0.5:
            will = (some_topic(self._dice), device.encode(), self._dice.randrange(2), self._dice.random() < 0.5)
        options = {"clean": not client_id or self._dice.random() < 0.4, "client_id": client_id, "will": will}
        with contextlib.suppress(AssertionError):
            five = self._dice.random() < 0.5
            client = self._five(device, **options) if five else self._broker.client(device, **options)
            self._clients.setdefault(device, []).append(client)

    def _five(self, device, **options):
        """A client of MQTT 5, whose will waits for a while, and whose topics may come as numbers."""
        later = {"will_delay": self._dice.randrange(2), "response_topic": some_topic(self._dice)}
        return Client5(
            self._broker,
            device,
            session_expiry=self._dice.choice([0, 1, 100]),
            alias_maximum=self._dice.choice([0, 2, 100]),
            receive_maximum=self._dice.choice([1, 20]),
            will_properties=later,
            **options,
        )

    def intrude(self):
        """Somebody else's name with the wrong password."""
        device, other = self._dice.sample(list(LOGINS), 2)
        with mqtt.Raw(self._broker.address()) as stranger:
            stranger.send(mqtt.connect(device, username=device, password=password_of(other)))
            stranger.send(mqtt.subscribe(("#", 1)))
            assert all(got.kind != mqtt.PUBLISH for got in stranger.until_closed())

    def speak(self):
        """Each device subscribes and publishes something, allowed or not."""
        for device, clients in self._clients.items():
            for client in clients:
                with contextlib.suppress(OSError):
                    filters = [some_filter(self._dice) for _ in range(2)]
                    flags = {"qos": self._dice.randrange(3), "retain": self._dice.random() < 0.3}
                    if isinstance(client, Client5):
                        self._speak_5(client, device, filters, flags)
                        continue
                    client.send(mqtt.subscribe(*((each, 1) for each in filters)))
                    client.send(mqtt.publish(some_topic(self._dice), device.encode(), **flags))

    def _speak_5(self, client, device, filters, flags):
        options = self._dice.choice([1, 1 | 4, 1 | 8, 1 | 0x10, 1 | 0x20])
        client.send(mqtt5.subscribe(*((each, options) for each in filters), subscription_id=self._number(device)))
        told = {"alias": 1, "response_topic": some_topic(self._dice), "user": ("from", device)}
        client.send(mqtt5.publish(some_topic(self._dice), device.encode(), **flags, **told))
        client.send(mqtt5.publish("", device.encode(), **flags, alias=1))

    def _number(self, device):
        """The identifier of all subscriptions of a device."""
        return list(LOGINS).index(device) + 1

    def deliver(self):
        """The bridge publishes what is rightful."""
        for _ in range(5):
            topic = some_topic(self._dice)
            retain = self._dice.random() < 0.5
            self._bridge.send(mqtt.publish(topic, b"bridge " + topic.encode(), qos=1, retain=retain))
            self._bridge.flush()

    def check(self, seed):
        """Nobody has got anything that is not theirs."""
        for device, clients in list(self._clients.items()):
            for client in clients:
                with contextlib.suppress(AssertionError, OSError):
                    for got in client.flush():
                        self._judge(device, client, got, seed)
                if self._dice.random() < 0.3:
                    client.close()
            self._clients[device] = [client for client in clients if client.socket.fileno() >= 0][-2:]

    def _judge(self, device, client, got, seed):
        if got.kind != mqtt.PUBLISH:
            return
        self.seen += 1
        topic, payload = got.topic, got.payload
        if isinstance(client, Client5):
            told, payload = mqtt5.about(got), mqtt5.payload(got)
            topic = topic or client.names[told["alias"]]
            client.names[told.get("alias", 0)] = topic
            if not {self._number(device)} >= set(told.get("subscription_id", [])):
                pytest.fail(f"--fuzz-seed {seed}: {device} got {told}")
        if not may_see(device, topic, payload):
            pytest.fail(f"--fuzz-seed {seed}: {device} got {topic} {payload!r}")

    def close(self):
        for clients in self._clients.values():
            for client in clients:
                client.close()
        self._bridge.close()


@pytest.mark.parametrize("name", ["embedded", "mosquitto"])
def test_no_byte_crosses_users(rounds, tmp_path, name):
    """Random filters, topics, wills, client ids, takeovers and intruders, on ours and with our rules on mosquitto."""
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
                for action in (crowd.connect, crowd.connect, crowd.intrude, crowd.speak, crowd.deliver):
                    action()
                crowd.check(seed)
            crowd.close()
            seen.append(crowd.seen)
