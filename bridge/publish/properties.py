"""Properties of MQTT 5: by name for paho, and for a publish packed by ourselves.

paho makes tables anew for each set of properties, which takes longer than all the rest of a publish.
"""

from __future__ import annotations

from typing import Any

from paho.mqtt.properties import Properties

from bridge.publish import packets

MESSAGE_EXPIRY_INTERVAL, CORRELATION_DATA = b"\x02", b"\x09"
_EXPIRY_ALONE = b"\x05" + MESSAGE_EXPIRY_INTERVAL


def of_publish(expiry_s: int | None, correlation: bytes | None) -> bytes:
    """An expiry (MQTT 5 §3.3.2.3.3) and correlation data (§3.3.2.3.6) of at most 65,535 bytes, with their length."""
    if correlation is None:  # mostly
        return b"\x00" if expiry_s is None else _EXPIRY_ALONE + expiry_s.to_bytes(4, "big")
    packed = b"" if expiry_s is None else MESSAGE_EXPIRY_INTERVAL + expiry_s.to_bytes(4, "big")
    packed += CORRELATION_DATA + len(correlation).to_bytes(2, "big") + correlation
    return packets.length(len(packed)) + packed


def named(packet_type: int, **values: Any) -> Properties:
    """Properties of any packet by the names that paho gives them."""
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
