"""One login's session: who it is, what it subscribed to, what it has still to get. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from broker.acl import Identity
    from broker.delivery import Delivery


class SessionHandler(Protocol):
    """What a session, and whoever has one in hand, needs of the connection that serves it."""

    def pump(self) -> None:
        """Send what waits."""

    def evict(self, reason: str) -> None:
        """End the connection."""

    def discard_will(self) -> None:
        """Send no will when the connection ends."""


@dataclass(eq=False, slots=True)
class DeviceSession:
    """It belongs to a username, whatever client id the device sends.

    `credential` is the login that opened it last; `durable` whether it outlives its connection and the
    broker [MQTT-3.1.2-4]; `handler` its one connection, or None while it is away; `seen_s` when it was last
    connected (epoch). amqtt's own session is not used: three queues and a state machine, 25 kB,
    spread so far over memory that a publish to one of ten thousand spends its time waiting for them.
    """

    who: Identity
    delivery: Delivery
    credential: bytes
    durable: bool
    subscriptions: dict[str, int] = field(default_factory=dict)
    handler: SessionHandler | None = None
    seen_s: float = 0.0
    dropped: int = 0
    refused: int = 0
