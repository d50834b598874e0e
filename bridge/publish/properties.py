"""Properties of MQTT 5 for paho: by name, and for a publish packed by ourselves.

paho makes tables anew for each set of properties, which takes longer than all the rest of a publish.
"""

from __future__ import annotations

from typing import Any, cast

from paho.mqtt.properties import Properties

MESSAGE_EXPIRY_INTERVAL, CORRELATION_DATA = b"\x02", b"\x09"


class _Packed:
    """What goes along with a publish, as the bytes that paho asks it for."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def pack(self) -> bytes:
        """The length of the properties, and they (MQTT 5 §2.2.2)."""
        return self._packed


def of_publish(expiry_s: int | None, correlation: bytes | None) -> Properties | None:
    """An expiry (MQTT 5 §3.3.2.3.3) and correlation data (§3.3.2.3.6) of at most 65,535 bytes; None for neither."""
    packed = b"" if expiry_s is None else MESSAGE_EXPIRY_INTERVAL + expiry_s.to_bytes(4, "big")
    packed += b"" if correlation is None else CORRELATION_DATA + len(correlation).to_bytes(2, "big") + correlation
    return cast("Properties", _Packed(_length(len(packed)) + packed)) if packed else None


def named(packet_type: int, **values: Any) -> Properties:
    """Properties of any packet by the names that paho gives them."""
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _length(number: int) -> bytes:
    """A variable byte integer (MQTT 5 §1.5.5)."""
    octets = bytearray()
    while True:
        number, octet = divmod(number, 128)
        octets.append(octet | (128 if number else 0))
        if not number:
            return bytes(octets)
