"""The two packets that each mail needs, as bytes: PUBLISH with QoS 1, written, and PUBACK, read. Pure.

paho would keep a message with a condition variable for each, and make tables of properties and reasons anew.
"""

from __future__ import annotations

from struct import pack
from typing import NamedTuple

PUBACK = b"\x40"
FAILURE = 0x80
"""Reasons from here on say no (MQTT 5 §2.4)."""
_CONTINUES = 0x80
_SHORTEST, _LONGEST_LENGTH = 2, 4
_LENGTHS = 4
"""Bytes of the topic's length and of the packet's identifier."""
SIMPLE_PUBACK = PUBACK + b"\x02"
"""How a PUBACK begins that says nothing but which publish: its identifier follows."""


class Acknowledgement(NamedTuple):
    """A PUBACK: which publish, and the reason (MQTT 5 §3.4.2.1), which is 0 where it has none."""

    packet_id: int
    reason: int = 0


class NotReadableError(Exception):
    """What came is not as MQTT has it."""


def publish(topic: str, payload: bytes, *, packet_id: int, retain: bool, properties: bytes) -> bytes:
    """A PUBLISH; `properties` with their length before them (MQTT 5 §2.2.2), empty on MQTT 3.1.1."""
    name = topic.encode()
    rest = _LENGTHS + len(name) + len(properties) + len(payload)
    first = 0x33 if retain else 0x32
    if rest < _CONTINUES:
        begins = pack("!BBH", first, rest, len(name))
    elif rest < _CONTINUES << 7:
        begins = pack("!BBBH", first, rest & 0x7F | _CONTINUES, rest >> 7, len(name))
    else:
        begins = bytes((first,)) + length(rest) + pack("!H", len(name))
    return b"".join((begins, name, pack("!H", packet_id), properties, payload))


def length(number: int) -> bytes:
    """A variable byte integer (MQTT 5 §1.5.5)."""
    octets = bytearray()
    while number >= _CONTINUES:
        octets.append(number & 0x7F | _CONTINUES)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def acknowledgement(data: bytes, at: int) -> tuple[Acknowledgement, int] | None:
    """The PUBACK that begins there, and where it ends; None while some of it is missing. Raises NotReadableError."""
    rest, octets = 0, 0
    while True:
        if at + 1 + octets >= len(data):
            return None
        octet = data[at + 1 + octets]
        rest |= (octet & 0x7F) << 7 * octets
        octets += 1
        if octet < _CONTINUES:
            break
        if octets == _LONGEST_LENGTH:
            raise NotReadableError
    if rest < _SHORTEST:
        raise NotReadableError
    begins = at + 1 + octets
    end = begins + rest
    if end > len(data):
        return None
    reason = data[begins + 2] if rest > _SHORTEST else 0
    return Acknowledgement(data[begins] << 8 | data[begins + 1], reason), end
