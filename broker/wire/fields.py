"""The fields that packets are made of (§1.5): read off a body, never past its end, and written. Pure.

What is wrong is named by the statement of the version that the client speaks.
"""

from __future__ import annotations

from struct import pack
from typing import ClassVar

from broker.errors import ProtocolError
from broker.wire.names import plain
from broker.wire.reasons import Reason


class BodyReader:
    """Takes fields off a body of MQTT 3.1 or 3.1.1 one after the other; each raises ProtocolError (malformed)."""

    __slots__ = ("at", "body", "end")

    SHORT: ClassVar = "MQTT-4.8.0-1"
    UTF8: ClassVar = "MQTT-1.5.3-1"
    ZERO: ClassVar = "MQTT-1.5.3-2"
    ODD: ClassVar = "MQTT-1.5.3"

    def __init__(self, body: bytes, at: int = 0) -> None:
        self.body = body
        self.at = at
        self.end = len(body)

    def octet(self) -> int:
        """A byte."""
        at = self.at
        if at >= self.end:
            raise self.malformed("it ends inside a field")
        self.at = at + 1
        return self.body[at]

    def word(self) -> int:
        """A two byte integer."""
        at = self.at
        if at + 2 > self.end:
            raise self.malformed("it ends inside a field")
        self.at = at + 2
        return self.body[at] << 8 | self.body[at + 1]

    def binary(self) -> bytes:
        """Binary data."""
        at = self.at + 2
        if at > self.end:
            raise self.malformed("it ends inside a field")
        end = at + (self.body[at - 2] << 8 | self.body[at - 1])
        if end > self.end:
            raise self.malformed("it ends inside a field")
        self.at = end
        return self.body[at:end]

    def text(self) -> str:
        """A string of UTF-8 without characters that are refused (`names.plain`)."""
        try:
            value = self.binary().decode()
        except UnicodeDecodeError:
            raise ProtocolError(self.UTF8, "a text is not UTF-8", Reason.MALFORMED) from None
        if not value.isprintable() and not plain(value):
            self.refuse(value)
        return value

    def refuse(self, text: str) -> None:
        """Raise for a text that is not plain."""
        if "\0" in text:
            raise ProtocolError(self.ZERO, "a text contains U+0000", Reason.MALFORMED)
        raise ProtocolError(self.ODD, "a text contains a control character or no character", Reason.MALFORMED)

    def finish(self) -> None:
        """Nothing may follow."""
        if self.at != self.end:
            raise self.malformed("something follows its last field")

    def malformed(self, text: str) -> ProtocolError:
        """The error of a packet whose lengths do not add up."""
        return ProtocolError(self.SHORT, f"malformed packet: {text}", Reason.MALFORMED)


class BodyReader5(BodyReader):
    """The same for MQTT 5."""

    __slots__ = ()

    SHORT: ClassVar = "MQTT-4.13.1-1"
    UTF8: ClassVar = "MQTT-1.5.4-1"
    ZERO: ClassVar = "MQTT-1.5.4-2"
    ODD: ClassVar = "MQTT-1.5.4"

    def long(self) -> int:
        """A four byte integer."""
        at = self.at
        if at + 4 > self.end:
            raise self.malformed("it ends inside a field")
        self.at = at + 4
        return int.from_bytes(self.body[at : at + 4], "big")

    def varint(self) -> int:
        """A variable byte integer in its shortest form [MQTT-1.5.5-1]."""
        value = self.octet()
        if value < 0x80:
            return value
        value &= 0x7F
        for shift in (7, 14, 21):
            octet = self.octet()
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                if not octet:
                    raise ProtocolError("MQTT-1.5.5-1", "a length is not in its shortest form", Reason.MALFORMED)
                return value
        raise ProtocolError("MQTT-1.5.5-1", "a length has more than four bytes", Reason.MALFORMED)


def varint(value: int) -> bytes:
    """A variable byte integer, as the remaining length is one in all versions (§2.2.3, in MQTT 5 §1.5.5)."""
    if value < 0x80:
        return bytes((value,))
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 0x20_0000:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80, value >> 21))


def begin_publish(first: int, length: int, size: int) -> bytes:
    """What a PUBLISH begins with: its first byte, how long the rest of it is, and how long its topic is of that."""
    if length < 0x80:
        return pack("!BBH", first, length, size)
    if length < 0x4000:
        return pack("!BBBH", first, length & 0x7F | 0x80, length >> 7, size)
    return bytes((first,)) + varint(length) + pack("!H", size)


def text(value: str) -> bytes:
    """A string with its length; at most 65,535 bytes are of it, cut where a character ends."""
    data = value.encode()
    if len(data) > 0xFFFF:
        data = data[:0xFFFF].decode(errors="ignore").encode()
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    """A packet: its first byte (type and flags), its length, and what follows."""
    return bytes((first,)) + varint(len(body)) + body
