"""Pages as a load: many that wait, or one that reads a large mail over and over.

    python -m tests.bench.page_visitors waiting|reading HOST:PORT COUNT [MAIL]     < COUNT logins, one a line

Each is a WebSocket of its own at the web server with MQTT 3.1.1 inside, and as cheap as can be, as visitors have
machines of their own. It says `ready` when it is what it is to be, and stays so until its input ends; then it says how
many bytes it has read.
"""

from __future__ import annotations

import asyncio
import base64
import os
import select
import socket
import sys
import time
from typing import TYPE_CHECKING

import msgpack

from tests.bench.broker_load import allow_files
from tests.support import mqtt_client as mqtt

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_BYTES = 256 * 1024
"""What the web client asks for at once."""
_LONG, _LONGER = 126, 127


def opening(host: str) -> bytes:
    """The request for a WebSocket (RFC 6455 §4.1)."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ("GET /mqtt HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade")
    more = (f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt", "", "")
    return "\r\n".join(lines + more).encode()


def framed(data: bytes) -> bytes:
    """A message of a page, with a mask of zeros (RFC 6455 §5.2)."""
    if len(data) < _LONG:
        return bytes([0x82, 0x80 | len(data)]) + bytes(4) + data
    return bytes([0x82, 0x80 | _LONG]) + len(data).to_bytes(2, "big") + bytes(4) + data


class Page:
    """A page that is connected, on a socket that blocks. `login` is a user name and a password."""

    def __init__(self, address: tuple[str, int], login: tuple[str, str]) -> None:
        self.user, _, self.device = login[0].partition(".")
        self.read_bytes = 0
        self._socket = socket.create_connection(address, timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(opening(f"{address[0]}:{address[1]}"))
        self._received, self._packets = bytearray(), bytearray()
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head.decode())
        self._received = bytearray(rest)
        self.send(mqtt.connect(login[0], username=login[0], password=login[1]))
        next(self.packets())

    def send(self, data: bytes) -> None:
        """One packet of MQTT."""
        self._socket.sendall(framed(data))

    def subscribe(self, topic: str, qos: int) -> None:
        """Below the user's own topics; what is retained there has come when this returns, or comes first."""
        self.send(mqtt.subscribe((f"mail/{self.user}/{topic}", qos)))
        for kind, body in self.packets():
            if kind >> 4 == mqtt.SUBACK:
                return
            self.acknowledge(kind, body)

    def acknowledge(self, kind: int, body: bytes) -> None:
        """What came at QoS 1."""
        if kind >> 4 == mqtt.PUBLISH and kind & 2:
            self.send(mqtt.puback(mqtt.Packet(mqtt.PUBLISH, kind & 15, body).packet_id))

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """The first byte and the body of each packet, as they come."""
        while True:
            while (packet := self._packet()) is None:
                self._unframe()
            yield packet

    def _packet(self) -> tuple[int, bytes] | None:
        length = shift = 0
        for at in range(1, min(5, len(self._packets))):
            length |= (self._packets[at] & 0x7F) << shift
            shift += 7
            if self._packets[at] < 0x80:
                end = at + 1 + length
                if len(self._packets) < end:
                    return None
                first, body = self._packets[0], bytes(self._packets[at + 1 : end])
                del self._packets[:end]
                return first, body
        return None

    def _unframe(self) -> None:
        """One message of the server."""
        while len(self._received) < 10 and not self._is_whole():
            self._receive()
        size, start = self._received[1], 2
        if size == _LONG:
            size, start = int.from_bytes(self._received[2:4], "big"), 4
        elif size == _LONGER:
            size, start = int.from_bytes(self._received[2:10], "big"), 10
        while len(self._received) < start + size:
            self._receive()
        if self._received[0] & 15 != 2:
            raise ConnectionError("closed")
        self._packets += self._received[start : start + size]
        del self._received[: start + size]

    def _is_whole(self) -> bool:
        return len(self._received) >= 2 and len(self._received) >= 2 + self._received[1] < _LONG

    def _receive(self) -> None:
        data = self._socket.recv(2**18)
        if not data:
            raise ConnectionError("closed")
        self.read_bytes += len(data)
        self._received += data


def read_on(page: Page, mail: str) -> None:
    """Read a mail from the beginning to the end, as the web client does, over and over until the input ends."""
    page.subscribe(f"re/{page.device}", 0)
    page.read_bytes = 0
    offset, end, begun = 0, 0, False
    packets = page.packets()
    while not select.select([sys.stdin], [], [], 0)[0]:
        asked = msgpack.packb([1, 7, "raw", mail, offset, WINDOW_BYTES])
        page.send(mqtt.publish(f"mail/{page.user}/do/{page.device}", asked, qos=1))
        end = offset + WINDOW_BYTES
        while offset < end:
            kind, body = next(packets)
            if kind >> 4 != mqtt.PUBLISH:
                continue
            reply = msgpack.unpackb(mqtt.Packet(mqtt.PUBLISH, kind & 15, body).payload)
            if reply[2]:
                time.sleep(0.2)  # too many requests
                break
            offset = reply[3] + len(reply[5])
            if offset == reply[4]:
                offset = end = 0
        if not begun:
            begun = True
            say("ready")
    say(str(page.read_bytes))


async def wait_all(address: tuple[str, int], logins: list[tuple[str, str]]) -> None:
    """All of them, connected and subscribed as the web client is."""
    open_ = []
    for name, password in logins:
        reader, writer = await asyncio.open_connection(*address)
        open_.append(writer)
        writer.write(opening(f"{address[0]}:{address[1]}"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(framed(mqtt.connect(name, username=name, password=password)))
        await reader.readexactly(6)
        user = name.partition(".")[0]
        writer.write(framed(mqtt.subscribe((f"mail/{user}/msg/+", 1), (f"mail/{user}/box", 1))))
        await reader.readexactly(4)
    say("ready")
    await asyncio.to_thread(sys.stdin.read)
    for writer in open_:
        writer.close()


def say(word: str) -> None:
    """A line for who started this."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Be what the first argument says."""
    what, where, count, *mail = sys.argv[1:]
    host, _, port = where.rpartition(":")
    given = [sys.stdin.readline().split() for _ in range(int(count))]
    logins = [(name, password) for name, password in given]
    if what == "reading":
        read_on(Page((host, int(port)), logins[0]), mail[0])
        return
    allow_files(len(logins) + 50)
    asyncio.run(wait_all((host, int(port)), logins))


if __name__ == "__main__":
    main()
