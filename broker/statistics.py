"""Counters of the broker, and how they look under `$SYS` (docs/monitoring/README.md explains each). Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Statistics:
    """What happened since the start. `devices` are online now; `dropped` counts messages and connections by reason.

    `renewed` are subscriptions of devices to what they had already: so a device heals its box, and many apps do it at
    each connection.
    """

    connections: int = 0
    devices: int = 0
    accepted: int = 0
    received: int = 0
    sent: int = 0
    renewed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str) -> None:
        """Count something that was refused, cut off or thrown away."""
        self.dropped[reason] += 1

    def topics(
        self,
        *,
        sessions: int,
        subscriptions: int,
        retained: int,
        queued: int,
        uptime_s: float,
        vitals: Mapping[str, float],
    ) -> dict[str, str]:
        """The `$SYS` topics with their values as decimal text; names as most brokers use them, where they have them.

        `vitals` are figures of the process by their own names (vitals.py).
        """
        values = {
            "uptime": int(uptime_s),
            "clients/connected": self.connections,
            "clients/total": sessions,
            "devices/online": self.devices,
            "connections/accepted": self.accepted,
            "messages/received": self.received,
            "messages/sent": self.sent,
            "messages/queued": queued,
            "retained messages/count": retained,
            "subscriptions/count": subscriptions,
            "subscriptions/renewed": self.renewed,
            **vitals,
            **{f"dropped/{reason}": count for reason, count in self.dropped.items()},
        }
        return {f"$SYS/broker/{name}": str(value) for name, value in values.items()}
