"""Cuts a stream of bytes into packets, bounded before anything in them is believed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import ProtocolError
from broker.wire.reasons import Reason

_FLAGS_FREE = (1, 3)  # PUBLISH, and CONNECT in MQTT 3.1 alone
_FLAGS_OF_TWO = (6, 8, 10)  # PUBREL, SUBSCRIBE, UNSUBSCRIBE [MQTT-2.2.2-2]; 10 is theirs in MQTT 3.1 alone (DUP)


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

        Raises ProtocolError on a length that is malformed or over the limit, and on reserved flag bits. Type 15
        (AUTH, MQTT 5) is cut like any other: that it has no place is for those to say who know the version.
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
                raise ProtocolError("MQTT-2.2.3", "the remaining length has more than four bytes", Reason.MALFORMED)
            return None
        kind, flags = buffer[0] >> 4, buffer[0] & 0x0F
        if kind not in _FLAGS_FREE and (flags & 7 != 2 if kind in _FLAGS_OF_TWO else flags or not kind):
            raise ProtocolError("MQTT-2.2.2-2", f"packet type {kind} with flags {flags}", Reason.MALFORMED)
        if length > self.limit:
            said = f"a packet of {length} bytes, allowed are {self.limit}"
            raise ProtocolError("limits.packet", said, Reason.PACKET_TOO_LARGE)
        end = start + 1 + length
        if len(buffer) < end:
            return None
        frame = Frame(kind, flags, bytes(buffer[start + 1 : end]))
        if len(buffer) == end:
            self._buffer = bytearray()  # an idle connection holds no memory for what was
        else:
            del buffer[:end]
        return frame
