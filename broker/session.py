"""One login's session: who it is, what it subscribed to, what it has still to get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.acl import Identity
    from broker.delivery import Delivery
    from broker.handler import DeviceHandler


@dataclass(eq=False, slots=True)
class DeviceSession:
    """It belongs to a username, whatever client id the device sends.

    `credential` is the login that opened it last; `durable` whether it outlives its connection and the
    broker [MQTT-3.1.2-4]; `handler` its one connection, or None while it is away; `seen` when it was last
    connected (epoch seconds). amqtt's own session is not used: three queues and a state machine, 25 kB,
    spread so far over memory that a publish to one of ten thousand spends its time waiting for them.
    """

    who: Identity
    delivery: Delivery
    credential: bytes
    durable: bool
    subscriptions: dict[str, int] = field(default_factory=dict)
    handler: DeviceHandler | None = None
    seen: float = 0.0
    dropped: int = 0
    refused: int = 0
