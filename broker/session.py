"""One login's session: who it is, what it subscribed to, what it has still to get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amqtt.session import Session

if TYPE_CHECKING:
    from broker.acl import Identity
    from broker.delivery import Delivery
    from broker.handler import DeviceHandler


class DeviceSession(Session):
    """amqtt's session without what costs memory and loses mail: three queues and a state machine.

    It belongs to a username, whatever client id the device sends; `handler` is its one connection,
    or None while it is away. `credential` is the login that opened it last.
    """

    def __init__(self, who: Identity, delivery: Delivery, *, credential: bytes, durable: bool) -> None:
        super().__init__()
        del self.retained_messages, self.delivered_message_queue, self.inflight_in, self.inflight_out
        del self.attributes
        self.client_id = who.username
        self.username = who.username
        self.clean_session = not durable
        self.who = who
        self.delivery = delivery
        self.credential = credential
        self.subscriptions: dict[str, int] = {}
        self.handler: DeviceHandler | None = None
        self.seen = 0.0
        self.dropped = 0
        self.refused = 0

    @property
    def durable(self) -> bool:
        """Whether it outlives its connection and the broker [MQTT-3.1.2-4]."""
        return not self.clean_session

    def _init_states(self) -> None:
        """`handler` says all that amqtt's state machine does, without its 20 kB."""
