"""What mail costs on a phone's link, in bytes: MQTT 3.1.1 and 5 over TLS, counted by a proxy between device and broker.

    python -m tests.bench.bytes [--brokers postbell,mosquitto] [--live 100]

Counted is what TCP carries, which is MQTT in TLS records. What comes on top is worked out: 52 bytes of IPv4 and TCP
(with timestamps, as Linux sends them) for each packet. A reconnection is counted from CONNECT on; the handshake stands
beside it. Each figure comes after its work was checked: so many messages, these topics, nothing more.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgpack
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.certificates import self_signed
from tests.support.counting_link import CountingLink, Device, VersionRefusedError
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.counting_link import Count

PACKET = 52
"""Bytes of IPv4 and TCP with timestamps."""
HEADER = msgpack.packb(
    [1, 1024, "Ada", "ada@example.org", "Plan for Thursday", "See the drawing, the rest follows.", 70_000]
)
MSG, BOX, RE = FILTERS = ("mail/alice/msg/+", "mail/alice/box", "mail/alice/re/phone")
ALWAYS, IF_NEW = 0, 1
RECONNECTIONS: dict[str, dict[int, dict[str, int]]] = {
    "all subscribed to": {4: dict.fromkeys(FILTERS, ALWAYS), 5: dict.fromkeys(FILTERS, ALWAYS)},
    "as protocol.md has it": {4: {BOX: ALWAYS, RE: ALWAYS}, 5: {MSG: IF_NEW, BOX: ALWAYS, RE: ALWAYS}},
}
KEEPALIVES = {"an app's 60 s": 60, "server keep alive, 15 min": 900, "found by the device, 29 min": 1740}
PINGS = 10


class Broker(NamedTuple):
    """A broker that listens in the clear for the publisher and with TLS for the device."""

    name: str
    port: int
    tls_port: int
    authority: Path
    logins: bool


@contextlib.contextmanager
def embedded(directory: Path) -> Iterator[Broker]:
    """Ours."""
    chain, key = self_signed(directory)
    config = f'[broker]\ntls_listen = "127.0.0.1:0"\ntls_cert = "{chain}"\ntls_key = "{key}"\n'
    broker = EmbeddedBroker(directory, config=config)
    broker.logins.add("bridge", "bridge")
    broker.logins.add("alice.phone")
    with broker:
        yield Broker("postbell", broker.address()[1], broker.address("mqtts")[1], chain, logins=True)


@contextlib.contextmanager
def mosquitto(directory: Path) -> Iterator[Broker]:
    """The other one."""
    chain, key = self_signed(directory)
    tls_port = free_port()
    settings = (f"listener {tls_port} 127.0.0.1", f"certfile {chain}", f"keyfile {key}", "max_queued_messages 0")
    with Mosquitto(directory, *settings, verbose=False) as broker:
        yield Broker("mosquitto", broker.port, tls_port, chain, logins=False)


BROKERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Broker]]] = {
    "postbell": embedded,
    "mosquitto": mosquitto,
}


class Bridge:
    """Publishes as the bridge does: in the newest version that there is, with an expiry where that is 5."""

    def __init__(self, broker: Broker, *, mqtt5: bool) -> None:
        self.mqtt5 = mqtt5
        self._live: list[str] = []
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, "bridge", protocol=paho.MQTTv5 if mqtt5 else paho.MQTTv311
        )
        if broker.logins:
            self._client.username_pw_set("bridge", password_of("bridge"))
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def deliver(self, numbers: range) -> None:
        """New mail: headers, then the digest; done when the broker has acknowledged all."""
        for number in numbers:
            self._live.append(f"{number:09d}")
            properties = Properties(PacketTypes.PUBLISH) if self.mqtt5 else None
            if properties is not None:
                properties.MessageExpiryInterval = 7 * 86_400
            self._client.publish(f"mail/alice/msg/{self._live[-1]}", HEADER, 1, retain=True, properties=properties)
        check = 0
        for each in self._live:
            check ^= zlib.crc32(each.encode())
        box = msgpack.packb([1, len(self._live), check, self._live[-1]])
        self._client.publish("mail/alice/box", box, 1, retain=True).wait_for_publish(30)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def settled(link: CountingLink) -> Count:
    """The count once nothing has come for a while: tickets of TLS and acknowledgements need no answer."""
    last, since = link.count(), time.monotonic()
    while time.monotonic() - since < 0.3:
        time.sleep(0.02)
        if (now := link.count()) != last:
            last, since = now, time.monotonic()
    return last


def speaks_5(broker: Broker, link: CountingLink) -> bool:
    with contextlib.suppress(VersionRefusedError):
        Device(link, broker.authority, level=5, password=password_of("alice.phone")).connect().close()
        return True
    return False


def expected(topics: list[str], wanted: int, what: str) -> None:
    """Exit unless so many headers came, and one digest, the newest."""
    headers = [topic for topic in topics if "/msg/" in topic]
    if len(headers) != wanted or len(set(headers)) != wanted or topics.count(BOX) != 1:
        raise SystemExit(f"{what}: {len(headers)} headers and {topics.count(BOX)} digests came, not {wanted} and 1")


def measure(broker: Broker, *, live: int) -> None:
    """Everything of one broker, a line for each figure."""
    with CountingLink(broker.tls_port) as link:
        levels = [4, 5] if speaks_5(broker, link) else [4]
        if levels == [4]:
            say(broker.name, "5", "the broker speaks 3.1.1 alone")
        bridge = Bridge(broker, mqtt5=5 in levels)
        numbers = itertools.count(live)
        try:
            bridge.deliver(range(live))
            for level in levels:
                measure_version(broker, link, bridge, level=level, numbers=numbers, live=live)
        finally:
            bridge.close()


def measure_version(
    broker: Broker, link: CountingLink, bridge: Bridge, *, level: int, numbers: Iterator[int], live: int
) -> None:
    """One version at one broker; each takes a mail more into the box."""
    version = "5" if level == 5 else "3.1.1"

    def device() -> Device:
        return Device(link, broker.authority, level=level, password=password_of("alice.phone"))

    first = device().connect()
    held = live + level - 4
    first.subscribe(dict.fromkeys(FILTERS, ALWAYS))
    first.receive(until_topics=held + 1)
    first.close()
    for name, filters in RECONNECTIONS.items():
        before = settled(link)
        again = device().handshake()
        ready = settled(link)
        again.connect().subscribe(filters[level])
        if not again.session_present:
            raise SystemExit(f"{broker.name} has lost the session")
        wanted = held if filters[level].get(MSG) == ALWAYS else 0
        topics = again.receive(until_topics=wanted + 1)
        after = settled(link)
        expected(topics + again.receive(until_topics=0), wanted, f"{broker.name} {version}, {name}")
        say(broker.name, version, f"reconnection, {name}", after - ready)
        handshake = ready - before
        if name != "all subscribed to":
            say(broker.name, version, "handshake of TLS before it", handshake)
            before = settled(link)
            number = next(numbers)
            bridge.deliver(range(number, number + 1))
            topics = again.receive(until_topics=2)
            expected(topics, 1, f"{broker.name} {version}, one mail")
            say(broker.name, version, "one new mail", settled(link) - before)
            before = settled(link)
            for _ in range(PINGS):
                again.ping()
            tell_idle(broker.name, version, settled(link) - before, again.server_keepalive)
        again.close()


def tell_idle(name: str, version: str, pings: Count, server_keepalive: int | None) -> None:
    """What an hour without mail costs at each interval, out of measured pings."""
    octets = (pings.up + pings.down) / PINGS
    say(name, version, f"a ping and its answer: {octets:.0f} bytes, in TCP/IP {octets + 3 * PACKET:.0f}")
    for what, interval_s in KEEPALIVES.items():
        hour = 3600 / interval_s
        say(
            name,
            version,
            f"an idle hour, {what}: {hour * octets:.0f} bytes, in TCP/IP {hour * (octets + 3 * PACKET):.0f}",
        )
    if version == "5":
        say(name, version, f"server keep alive told: {server_keepalive or 'none'}")


def say(name: str, version: str, what: str, count: Count | None = None) -> None:
    """A line as soon as it is known. Beside the data each way there is a packet that only acknowledges."""
    if count is not None:
        whole = count.up + count.down + PACKET * (count.chunks + 1)
        what = f"{what:38} {count.up:6} up {count.down:6} down {count.up + count.down:6} in all, in TCP/IP {whole:6}"
    sys.stdout.write(f"{name:10} {version:6} {what}\n")
    sys.stdout.flush()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="postbell,mosquitto")
    parser.add_argument("--live", type=int, default=100)
    options = parser.parse_args()
    for name in options.brokers.split(","):
        with tempfile.TemporaryDirectory() as directory, BROKERS[name](Path(directory)) as broker:
            measure(broker, live=options.live)
    return 0


if __name__ == "__main__":
    sys.exit(main())
