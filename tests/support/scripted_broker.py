"""A broker for MQTT 5 that says what a test tells it to, where a real one cannot be brought to it."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14
REASON_STRING, SERVER_KEEP_ALIVE = 0x1F, 0x13


@dataclass(frozen=True)
class Packet:
    """What a client sent: the type, the flags, and all behind the fixed header."""

    kind: int
    flags: int
    body: bytes


def packet(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    """A packet with a remaining length of one byte."""
    assert len(body) < 128
    return bytes([kind << 4 | flags, len(body)]) + body


def connack(reason: int = 0, properties: bytes = b"", *, session_present: bool = False) -> bytes:
    """CONNACK of MQTT 5 (§3.2)."""
    return packet(CONNACK, bytes([session_present, reason, len(properties)]) + properties)


def disconnect(reason: int, words: str = "") -> bytes:
    """DISCONNECT of MQTT 5 (§3.14), with a reason string if there are words."""
    said = struct.pack("!BH", REASON_STRING, len(words.encode())) + words.encode() if words else b""
    return packet(DISCONNECT, bytes([reason, len(said)]) + said)


class ScriptedBroker:
    """Takes one connection after the other; each gets the next of `connacks`, the last one for ever.

    It grants every subscription with `granted` and acknowledges every publish with `acknowledged`. `packets` are all
    that came.
    """

    def __init__(self, *connacks: bytes, granted: int = 1, acknowledged: int = 0) -> None:
        self.packets: list[Packet] = []
        self._connacks = [*connacks] or [connack()]
        self._granted, self._acknowledged = granted, acknowledged
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._there: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.hang_up()
        self._thread.join(10)

    def say(self, data: bytes) -> None:
        """Send this to the client that is connected."""
        assert self._there is not None
        self._there.sendall(data)

    def hang_up(self) -> None:
        """Close its connection."""
        if self._there is not None:
            with suppress(OSError):
                self._there.shutdown(socket.SHUT_RDWR)

    def of(self, kind: int) -> list[Packet]:
        """The packets of a type that came."""
        return [each for each in self.packets if each.kind == kind]

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, connection.makefile("rb") as stream, suppress(OSError):
                    self._there = connection
                    while (head := stream.read(1)) and (came := self._read(head[0], stream)):
                        self.packets.append(came)
                        connection.sendall(self._answer(came))

    @staticmethod
    def _read(head: int, stream: object) -> Packet | None:
        length, shift = 0, 0
        while True:
            octet = stream.read(1)  # type: ignore[attr-defined]
            if not octet:
                return None
            length |= (octet[0] & 127) << shift
            shift += 7
            if octet[0] < 128:
                return Packet(head >> 4, head & 15, stream.read(length))  # type: ignore[attr-defined]

    def _answer(self, came: Packet) -> bytes:
        if came.kind == CONNECT:
            return self._connacks.pop(0) if len(self._connacks) > 1 else self._connacks[0]
        if came.kind == SUBSCRIBE:
            return packet(SUBACK, came.body[:2] + b"\0" + bytes([self._granted] * filters_in(came)))
        if came.kind == PUBLISH:
            length = int.from_bytes(came.body[:2])
            number = came.body[2 + length : 4 + length]
            return packet(PUBACK, number + bytes([self._acknowledged, 0]) if self._acknowledged else number)
        return packet(PINGRESP, b"") if came.kind == PINGREQ else b""


def filters_in(subscribe: Packet) -> int:
    """How many filters a SUBSCRIBE has."""
    return len(options_of(subscribe))


def options_of(subscribe: Packet) -> dict[str, int]:
    """Each filter of a SUBSCRIBE of MQTT 5, and its options (§3.8.3.1)."""
    found, rest = {}, subscribe.body[3 + subscribe.body[2] :]
    while rest:
        length = int.from_bytes(rest[:2])
        found[rest[2 : 2 + length].decode()] = rest[2 + length]
        rest = rest[3 + length :]
    return found
