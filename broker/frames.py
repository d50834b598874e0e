"""Cuts a stream of bytes into packets, bounded before anything in them is believed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import ProtocolError

_PUBLISH = 3
_FLAGS_OF_TWO = (6, 8, 10)  # PUBREL, SUBSCRIBE, UNSUBSCRIBE [MQTT-2.2.2-2]


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet as it came: its type, the four flag bits, and all that follows the length."""

    kind: int
    flags: int
    body: bytes


class Packets:
    """Cuts a stream of bytes into packets. At most `limit` bytes and one chunk are ever kept."""

    __slots__ = ("_buffer", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take in what came."""
        self._buffer += chunk

    def next(self) -> Frame | None:
        """The next packet if all of it is here.

        Raises ProtocolError on a length that is malformed or over the limit, and on reserved flag bits.
        """
        buffer = self._buffer
        length = shift = 0
        for start in range(1, min(len(buffer), 5)):
            octet = buffer[start]
            length |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
        else:
            if len(buffer) >= 5:
                raise ProtocolError("MQTT-2.2.3", "the remaining length has more than four bytes")
            return None
        kind, flags = buffer[0] >> 4, buffer[0] & 0x0F
        if kind in (0, 15) or (kind != _PUBLISH and flags != (2 if kind in _FLAGS_OF_TWO else 0)):
            raise ProtocolError("MQTT-2.2.2-2", f"packet type {kind} with flags {flags}")
        if length > self.limit:
            raise ProtocolError("limits.packet", f"a packet of {length} bytes, allowed are {self.limit}")
        end = start + 1 + length
        if len(buffer) < end:
            return None
        frame = Frame(kind, flags, bytes(buffer[start + 1 : end]))
        if len(buffer) == end:
            self._buffer = bytearray()  # an idle connection holds no memory for what was
        else:
            del buffer[:end]
        return frame
