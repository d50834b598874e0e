"""What the broker benchmarks share: three brokers as processes, many cheap clients, what a process costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tests.support import mqtt_client as mqtt
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.waiting import free_port, listens, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STOCK_AMQTT = """
import asyncio, logging, sys
import uvloop
from amqtt.broker import Broker
logging.disable(logging.CRITICAL)
async def main():
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": sys.argv[1]}},
                     "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}})
    await broker.start()
    await asyncio.Event().wait()
uvloop.run(main())
"""


@dataclass(frozen=True)
class Running:
    """A broker under test."""

    name: str
    pid: int
    address: tuple[str, int]
    logins: bool
    websocket: tuple[str, int] | None = None

    def credentials(self, username: str) -> dict[str, str | None]:
        return {"username": username, "password": password_of(username) if self.logins else None}


def allow_files(number: int) -> None:
    """Raise the limit of open files, or say that the benchmark cannot be run here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise SystemExit(f"needs {number} open files, allowed are {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def embedded(users: int = 0) -> Iterator[Running]:
    """Ours, with its logins, rules and durable sessions on; any number from one address."""
    limits = "[limits]\nclients_per_address = 100000\n[log]\nlevel = 'warning'\n[broker]\nwebsocket = '127.0.0.1:0'\n"
    with tempfile.TemporaryDirectory() as directory:
        broker = EmbeddedBroker(Path(directory), config=limits)
        broker.logins.add("bridge", "bridge")
        broker.logins.add_many([username(number) for number in range(users)])
        with broker:
            assert broker.process is not None
            yield Running("postbell", broker.process.pid, broker.address(), True, broker.address("websocket"))


@contextlib.contextmanager
def mosquitto(users: int = 0) -> Iterator[Running]:
    """Mosquitto with anonymous login and no rules: its fastest."""
    del users
    with (
        tempfile.TemporaryDirectory() as directory,
        Mosquitto(Path(directory), "max_queued_messages 0", verbose=False) as broker,
    ):
        assert broker.process is not None
        yield Running("mosquitto", broker.process.pid, broker.address(), logins=False)


@contextlib.contextmanager
def stock_amqtt(users: int = 0) -> Iterator[Running]:
    """amqtt as it is installed, with anonymous login and no rules, on uvloop."""
    del users
    port = free_port()
    yield from _process("stock amqtt", [sys.executable, "-c", STOCK_AMQTT, f"127.0.0.1:{port}"], port)


BROKERS: dict[str, Callable[[int], contextlib.AbstractContextManager[Running]]] = {
    "postbell": embedded,
    "mosquitto": mosquitto,
    "amqtt": stock_amqtt,
}


def say(line: str) -> None:
    """Print a line of figures as soon as it is known."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def username(number: int) -> str:
    return f"u{number}.phone"


def resident(pid: int) -> int:
    """Bytes of memory that a process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client(asyncio.Protocol):
    """A client that is cheap enough to have ten thousand of: acknowledges, counts and remembers payloads."""

    def __init__(self, running: Running, name: str, filters: tuple[str, ...], *, clean: bool) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acknowledged = 0
        self.payloads: list[bytes] = []
        self.arrivals: list[float] = []
        self.on_packet = lambda: None
        self._wanted = 0
        self._complete: asyncio.Event = asyncio.Event()
        self._filters = filters
        self._buffer = b""
        credentials = running.credentials(name)
        self._connect = mqtt.connect(name, clean=clean, keepalive=600, **credentials)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self.transport.write(self._connect)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed before it was ready"))

    def data_received(self, data: bytes) -> None:
        buffer, start, acks = self._buffer + data, 0, bytearray()
        while len(buffer) - start >= 2:
            length, used, shift = 0, 1, 0
            while start + used < len(buffer):
                octet = buffer[start + used]
                length |= (octet & 0x7F) << shift
                used, shift = used + 1, shift + 7
                if octet < 0x80:
                    break
            else:
                break
            if len(buffer) - start < used + length:
                break
            self._packet(buffer[start], buffer[start + used : start + used + length], acks)
            start += used + length
        self._buffer = buffer[start:]
        if acks:
            self.transport.write(bytes(acks))
        self.on_packet()

    async def received(self, number: int) -> None:
        """Wait until so many messages have come, or a minute has passed."""
        self._wanted = number
        self._complete.clear()
        if len(self.payloads) < number:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._complete.wait(), 60)

    def _packet(self, first: int, body: bytes, acks: bytearray) -> None:
        kind = first >> 4
        if kind == mqtt.PUBLISH:
            got = mqtt.Packet(kind, first & 15, body)
            self.payloads.append(got.payload)
            self.arrivals.append(time.perf_counter())
            if len(self.payloads) == self._wanted:
                self._complete.set()
            if got.qos:
                acks += mqtt.puback(got.packet_id)
        elif kind == mqtt.PUBACK:
            self.acknowledged += 1
        elif kind == mqtt.CONNACK and body[1]:
            self.ready.set_exception(ConnectionError(f"CONNACK code {body[1]}"))
        elif kind == mqtt.CONNACK and self._filters:
            self.transport.write(mqtt.subscribe(*((topic_filter, 1) for topic_filter in self._filters)))
        elif kind in (mqtt.CONNACK, mqtt.SUBACK) and not self.ready.done():
            self.ready.set_result(None)


async def client(running: Running, name: str, *filters: str, clean: bool = True) -> Client:
    """A client that is connected and subscribed, with a persistent session unless `clean`."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(lambda: Client(running, name, filters, clean=clean), *running.address)
    await asyncio.wait_for(protocol.ready, 60)
    return protocol


async def crowd(running: Running, number: int, *, first: int = 0, clean: bool = True) -> list[Client]:
    """Idle devices, each subscribed to its own user's tree, connected 200 at a time."""
    clients: list[Client] = []
    for start in range(first, number, 200):
        names = [username(one) for one in range(start, min(start + 200, number))]
        clients += await asyncio.gather(
            *(client(running, n, f"mail/{n.partition('.')[0]}/#", clean=clean) for n in names)
        )
    return clients


async def publish_all(publisher: Client, topics: list[str], *, window: int, octets: int, retain: bool = False) -> float:
    """Publish one QoS 1 message to each topic, `window` of them unacknowledged at most. Returns the seconds.

    The payload is the message's number in ten digits, padded to `octets`.
    """
    done = asyncio.get_running_loop().create_future()
    already, sent = publisher.acknowledged, 0

    def go_on() -> None:
        nonlocal sent
        acknowledged = publisher.acknowledged - already
        data = bytearray()
        while sent < len(topics) and sent - acknowledged < window:
            payload = b"%010d" % sent + b"x" * (octets - 10)
            data += mqtt.publish(topics[sent], payload, qos=1, packet_id=sent % 65535 + 1, retain=retain)
            sent += 1
        if data:
            publisher.transport.write(bytes(data))
        if acknowledged == len(topics) and not done.done():
            done.set_result(None)

    publisher.on_packet = go_on
    begun = time.perf_counter()
    go_on()
    await asyncio.wait_for(done, 300)
    publisher.on_packet = lambda: None
    return time.perf_counter() - begun


async def clear(publisher: Client, topics: list[str]) -> None:
    """Have nothing retained on these topics."""
    done, wanted = asyncio.Event(), publisher.acknowledged + len(topics)
    publisher.on_packet = lambda: done.set() if publisher.acknowledged >= wanted else None
    for number, topic in enumerate(topics, 1):
        publisher.transport.write(mqtt.publish(topic, b"", qos=1, packet_id=number, retain=True))
    await asyncio.wait_for(done.wait(), 60)
    publisher.on_packet = lambda: None


def _process(name: str, command: list[str], port: int) -> Iterator[Running]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(("127.0.0.1", port)), what=f"{name} to listen")
        yield Running(name, process.pid, ("127.0.0.1", port), logins=False)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
