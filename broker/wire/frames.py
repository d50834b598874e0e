"""Cuts a stream of bytes into packets, bounded before anything in them is believed. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from broker.errors import ProtocolError
from broker.wire.reasons import Reason

_FLAGS_FREE: Final = (1, 3)  # PUBLISH, and CONNECT in MQTT 3.1 alone
_FLAGS_OF_TWO: Final = (6, 8, 10)  # PUBREL, SUBSCRIBE, UNSUBSCRIBE [MQTT-2.2.2-2]; 10 is theirs in MQTT 3.1 alone (DUP)
_FIRST: Final = frozenset(
    kind << 4 | flags
    for kind in range(1, 16)
    for flags in range(16)
    if kind in _FLAGS_FREE or flags in ((2, 10) if kind in _FLAGS_OF_TWO else (0,))
)


class Frame(NamedTuple):
    """One packet as it came: its type, the four flag bits, and all that follows the length.

    A tuple, since one is made of each packet, in half the time of a dataclass.
    """

    kind: int
    flags: int
    body: bytes


class Packets:
    """Cuts a stream of bytes into packets. At most `limit` bytes and one chunk are ever kept.

    A chunk is looked at as it came. Only what is left of it, a packet's beginning, is copied, to grow in place: so that
    who sends byte by byte does not have all of it copied each time.
    """

    __slots__ = ("_at", "_buffer", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer: bytes | bytearray = b""
        self._at = 0  # what lies before it has been cut

    def feed(self, chunk: bytes) -> None:
        """Take in what came."""
        if not self._buffer:
            self._buffer = chunk
            return
        rest = self._rest()
        rest += chunk

    def next(self) -> Frame | None:
        """The next packet if all of it is here.

        Raises ProtocolError on a length that is malformed or over the limit, and on reserved flag bits. Type 15
        (AUTH, MQTT 5) is cut like any other: that it has no place is for those to say who know the version.
        """
        buffer, at = self._buffer, self._at
        size = len(buffer)
        if size < at + 2:
            self._wait()
            return None
        length, start = buffer[at + 1], at + 2
        if length > 0x7F:
            if size > start and buffer[start] < 0x80:
                length, start = length & 0x7F | buffer[start] << 7, start + 1
            else:
                length, start = self._length()
            if not start:
                self._wait()
                return None
        first = buffer[at]
        if first not in _FIRST:
            text = f"packet type {first >> 4} with flags {first & 15}"
            raise ProtocolError("MQTT-2.2.2-2", text, Reason.MALFORMED)
        if length > self.limit:
            text = f"a packet of {length} bytes, allowed are {self.limit}"
            raise ProtocolError("limits.packet", text, Reason.PACKET_TOO_LARGE)
        end = start + length
        if size < end:
            self._wait()
            return None
        if size == end:
            self._buffer, self._at = b"", 0  # an idle connection holds no memory for what was
        else:
            self._at = end
        body = buffer[start:end]
        return Frame(first >> 4, first & 15, body if isinstance(body, bytes) else bytes(body))

    def _wait(self) -> None:
        """Not all of a packet is here: keep no more than it."""
        if self._buffer:
            self._rest()

    def _rest(self) -> bytearray:
        """What has not been cut, ready to grow."""
        buffer, at = self._buffer, self._at
        if isinstance(buffer, bytearray):
            del buffer[:at]
        else:
            buffer = self._buffer = bytearray(memoryview(buffer)[at:])
        self._at = 0
        return buffer

    def _length(self) -> tuple[int, int]:
        """A remaining length of several bytes and the place behind it, which is 0 while not all of it is here."""
        length, first = 0, self._at + 1
        for at, octet in enumerate(self._buffer[first : first + 4]):
            length |= (octet & 0x7F) << 7 * at
            if octet < 0x80:
                return length, first + at + 1
        if len(self._buffer) >= first + 4:
            raise ProtocolError("MQTT-2.2.3", "the remaining length has more than four bytes", Reason.MALFORMED)
        return 0, 0
