"""What a broker granted when it let us in, and whether a publish fits into that. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PACKET_IDS = 65_535
"""So many publishes may wait for their PUBACK where the broker names no number (MQTT 5 §3.2.2.3.3)."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The terms of one connection, as CONNACK has them.

    `receive_maximum` is how many publishes may wait for their PUBACK [MQTT-3.3.4-9], `packet_bytes` how large a
    packet may be [MQTT-3.2.2-15], None where nothing was said. MQTT 3.1.1 says neither.
    """

    mqtt5: bool = False
    session_present: bool = False
    receive_maximum: int = PACKET_IDS
    packet_bytes: int | None = None

    @classmethod
    def of(cls, said: Any, *, mqtt5: bool, session_present: bool) -> Granted:
        """What a CONNACK said: paho's properties of it, if it has any."""
        return cls(
            mqtt5=mqtt5,
            session_present=session_present,
            receive_maximum=getattr(said, "ReceiveMaximum", PACKET_IDS),
            packet_bytes=getattr(said, "MaximumPacketSize", None),
        )

    @property
    def version(self) -> str:
        """The version of MQTT, as it is written in the configuration."""
        return "5" if self.mqtt5 else "3.1.1"

    def excess(self, size: int) -> str:
        """Why a packet of so many bytes is not sent; empty where it may be."""
        if self.packet_bytes is None or size <= self.packet_bytes:
            return ""
        return f"a packet of {size} bytes, and the broker takes {self.packet_bytes}"
