"""One login's session: who it is, what it subscribed to, what it has still to get. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from broker.acl import Identity
    from broker.delivery import Delivery
    from broker.wire.message import Message
    from broker.wire.packets import Will


class SessionHandler(Protocol):
    """What a session, and whoever has one in hand, needs of the connection that serves it."""

    def pump(self) -> None:
        """Send what waits."""

    def pass_on(self, message: Message, *, qos: int, state: bool, retain: bool, ids: tuple[int, ...]) -> bool:
        """Send a message past the queue; False where it has to wait in there."""

    def evict(self, reason: str) -> None:
        """End the connection."""

    def discard_will(self) -> None:
        """Send no will when the connection ends."""


@dataclass(eq=False, slots=True)
class DeviceSession:
    """It belongs to a username, whatever client id the device sends, and whatever version of MQTT it speaks.

    `credential` is the login that opened it last; `expiry_s` how many seconds it outlives its connection, NEVER as
    long as the broker keeps any; `subscriptions` what each filter grants (subscriptions.py); `forced` options that all
    its filters have; `handler` its one connection, or None while it is away; `seen_s` when it was last connected
    (epoch). `received` has the packet ids of QoS 2 whose PUBREL has not come. `will` is to be sent at `will_at`
    (epoch) unless the device is back. amqtt's own session is not used: three queues and a state machine, 25 kB, spread
    so far over memory that a publish to one of ten thousand spends its time waiting for them.
    """

    who: Identity
    delivery: Delivery
    credential: bytes
    expiry_s: int
    subscriptions: dict[str, int] = field(default_factory=dict)
    forced: int = 0
    handler: SessionHandler | None = None
    seen_s: float = 0.0
    received: set[int] | None = None
    will: Will | None = None
    will_at: float = 0.0
    dropped: int = 0
    refused: int = 0

    @property
    def durable(self) -> bool:
        """Whether it outlives its connection and the broker [MQTT-3.1.2-4] [MQTT-3.1.2-23]."""
        return self.expiry_s > 0

    @property
    def weight(self) -> int:
        """How much of the broker's memory all that waits for it takes, about, in bytes."""
        return self.delivery.weight
