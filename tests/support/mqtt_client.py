"""A raw client of MQTT 3.1.1 and 3.1 for tests: says what it is told, right or wrong, and shows what comes back."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 10, 11, 12, 13, 14


@dataclass(frozen=True)
class Packet:
    kind: int
    flags: int
    body: bytes

    @property
    def packet_id(self) -> int:
        start = 2 + int.from_bytes(self.body[:2], "big") if self.kind == PUBLISH else 0
        return int.from_bytes(self.body[start : start + 2], "big")

    @property
    def topic(self) -> str:
        return self.body[2 : 2 + int.from_bytes(self.body[:2], "big")].decode()

    @property
    def payload(self) -> bytes:
        return self.body[2 + int.from_bytes(self.body[:2], "big") + (2 if self.qos else 0) :]

    @property
    def qos(self) -> int:
        return self.flags >> 1 & 3

    @property
    def retain(self) -> bool:
        return bool(self.flags & 1)

    @property
    def dup(self) -> bool:
        return bool(self.flags & 8)


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, octet = divmod(length, 128)
        encoded.append(octet | (0x80 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + bytes(encoded) + body


def connect(
    client_id="c",
    *,
    username=None,
    password=None,
    clean=True,
    keepalive=0,
    will=None,
    level=4,
    name="MQTT",
    extra_flags=0,
) -> bytes:
    """`will` is (topic, payload, qos, retain)."""
    flags = extra_flags | (2 if clean else 0)
    payload = text(client_id)
    if will is not None:
        flags |= 4 | will[2] << 3 | (32 if will[3] else 0)
        payload += text(will[0]) + text(will[1])
    if username is not None:
        flags |= 128
        payload += text(username)
    if password is not None:
        flags |= 64
        payload += text(password)
    return packet(CONNECT, text(name) + bytes([level, flags]) + keepalive.to_bytes(2, "big") + payload)


def publish(topic, payload=b"", *, qos=0, packet_id=1, retain=False, dup=False) -> bytes:
    body = text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + payload
    return packet(PUBLISH, body, qos << 1 | retain | (8 if dup else 0))


def subscribe(*filters, packet_id=1) -> bytes:
    body = b"".join(text(topic_filter) + bytes([qos]) for topic_filter, qos in filters)
    return packet(SUBSCRIBE, packet_id.to_bytes(2, "big") + body, 2)


def unsubscribe(*filters, packet_id=1) -> bytes:
    return packet(UNSUBSCRIBE, packet_id.to_bytes(2, "big") + b"".join(map(text, filters)), 2)


def puback(packet_id) -> bytes:
    return packet(PUBACK, packet_id.to_bytes(2, "big"))


class Raw:
    """One TCP connection. `receive` gives None when the broker closed it."""

    present = False
    packet_type: type[Packet] = Packet

    def __init__(self, address: tuple[str, int], *, receive_buffer: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if receive_buffer:  # counts only when it is set before the connection
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10.0)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=address[0])
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, timeout: float | None = None) -> Packet | None:
        """The next packet. Raises TimeoutError when none comes."""
        if timeout is not None:
            self.socket.settimeout(timeout)
        try:
            first = self._take(1)
            length = shift = 0
            while True:
                octet = self._take(1)[0]
                length |= (octet & 0x7F) << shift
                shift += 7
                if octet < 0x80:
                    break
            return self.packet_type(first[0] >> 4, first[0] & 15, self._take(length))
        except (EOFError, ConnectionError):
            return None
        finally:
            if timeout is not None:
                self.socket.settimeout(10.0)

    def expect(self, kind: int, timeout: float | None = None) -> Packet:
        got = self.receive(timeout)
        assert got is not None, f"closed, expected packet type {kind}"
        assert got.kind == kind, f"got {got}, expected packet type {kind}"
        return got

    def until_closed(self) -> list[Packet]:
        """All packets until the broker closes the connection."""
        got = []
        while (one := self.receive()) is not None:
            got.append(one)
        return got

    def flush(self, *, acknowledge: bool = True) -> list[Packet]:
        """All packets that come before the answer to a PINGREQ; those of QoS 1 are acknowledged."""
        self.send(packet(PINGREQ))
        return self._until(PINGRESP, acknowledge=acknowledge)[:-1]

    def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """Subscribe and acknowledge what comes before the SUBACK; its return codes."""
        self.send(subscribe(*((topic_filter, qos) for topic_filter in filters)))
        return list(self._until(SUBACK, acknowledge=True)[-1].body[2:])

    def _until(self, kind: int, *, acknowledge: bool) -> list[Packet]:
        got = []
        while not got or got[-1].kind != kind:
            one = self.receive()
            assert one is not None, f"closed, expected packet type {kind}"
            if acknowledge and one.kind == PUBLISH and one.qos == 1:
                self.send(puback(one.packet_id))
            got.append(one)
        return got

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.close()

    def _take(self, n: int) -> bytes:
        while len(self._buffer) < n:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken
