"""What one client publishes: taken once, acknowledged when it is safe, no faster than it may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from broker.acks import Acks
from broker.acl import Role
from broker.errors import ProtocolError
from broker.pace import Pace
from broker.router import lasting
from broker.terms import RECEIVE_MAXIMUM
from broker.wire.packets import V5
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.session import DeviceSession
    from broker.shared import Shared
    from broker.wire.codec import Codec
    from broker.wire.packets import Answer, Publish

_MOST_KEPT = 4096  # packet ids of QoS 2 without PUBREL, for those who are not told a receive maximum

_log = structlog.get_logger()


class Receiving:
    """The receiving half of a connection, made at the first PUBLISH: most devices never send one.

    Of QoS 2 the packet id is kept until its PUBREL, as long as the session lives and, if that is durable, on disk: so
    a message that comes again is not taken again [MQTT-4.3.3-2]. PUBREC is sent when message and id are safe, PUBCOMP
    when it is safe that the id is free: whoever uses it anew must not be taken for the old one.
    """

    __slots__ = ("_codec", "_pace", "_paced", "_router", "_session", "_shared", "acks")

    def __init__(
        self,
        *,
        session: DeviceSession,
        codec: Codec,
        shared: Shared,
        send: Callable[[bytes], None],
    ) -> None:
        self.acks = Acks(store=shared.store, send=send)
        self._session = session
        self._codec = codec
        self._shared = shared
        self._router = shared.router
        self._paced = session.who.role is Role.DEVICE
        self._pace: Pace | None = None

    def publish(self, publish: Publish) -> bool:
        """Take in a PUBLISH; whether its client has to `wait`. Raises ProtocolError when more come than may."""
        qos, acks = publish.message.qos, self.acks
        if not qos:
            self._take(publish)
        else:
            acks.open += 1
            if acks.open > RECEIVE_MAXIMUM and self._codec.level == V5:
                raise ProtocolError(
                    "MQTT-3.3.4-9", "more messages than the receive maximum", code=Reason.RECEIVE_MAXIMUM_EXCEEDED
                )
            if qos == 1:
                ticket, code = self._take(publish)
                acks.owe(ticket, self._codec.encode_puback(publish.packet_id, code), last=True)
            else:
                self._exactly_once(publish)
        return self._paced or acks.full

    async def wait(self) -> bool:
        """Wait until the next may come; whether a device was made to wait that publishes too fast."""
        await self.acks.room()
        return self._paced and await self._wait_for_pace()

    async def release(self, answer: Answer) -> None:
        """A PUBREL: the packet id is free [MQTT-4.3.3-11]."""
        session, ticket, code = self._session, 0, Reason.PACKET_ID_NOT_FOUND
        if session.received and answer.packet_id in session.received:
            session.received.discard(answer.packet_id)
            code = Reason.SUCCESS
            if session.durable:
                ticket = self._shared.store.release(session.who.username, answer.packet_id)
        self.acks.owe(ticket, self._codec.encode_pubcomp(answer.packet_id, code), last=True)
        await self.acks.room()

    def _take(self, publish: Publish) -> tuple[int, Reason]:
        message = publish.message
        if publish.expiry_s is not None:
            message = lasting(message, publish.expiry_s, self._shared.clock())
        return self._router.receive(self._session, message, retain=publish.retain)

    def _exactly_once(self, publish: Publish) -> None:
        session, packet_id = self._session, publish.packet_id
        received = session.received
        if received is None:
            received = session.received = set()
        if packet_id in received:
            ticket, code = self._shared.store.ticket if session.durable else 0, Reason.SUCCESS
        elif len(received) >= _MOST_KEPT:
            raise ProtocolError("MQTT-4.3.3-4", "PUBREL is missing for too many", code=Reason.QUOTA_EXCEEDED)
        else:
            ticket, code = self._take(publish)
            if code < Reason.UNSPECIFIED or self._codec.level < V5:
                received.add(packet_id)
                if session.durable:
                    ticket = max(ticket, self._shared.store.take_in(session.who.username, packet_id))
        refused = code >= Reason.UNSPECIFIED and self._codec.level == V5
        self.acks.owe(ticket, self._codec.encode_pubrec(packet_id, code), last=refused)

    async def _wait_for_pace(self) -> bool:
        """Make a device wait that publishes faster than it may; what it sends meanwhile waits in its socket."""
        if self._pace is None:
            self._pace = Pace(self._shared.limits.publish_rate)
        wait_s = self._pace.wait_s(asyncio.get_running_loop().time())
        if wait_s > 0:
            if not self._pace.told:
                self._pace.told = True
                _log.warning("publish_slowed", username=self._session.who.username, reason="publish_rate")
            self.acks.release()
            await asyncio.sleep(wait_s)
        return wait_s > 0
