"""Who is connected: each client that is let in is given its session and its handler, and is counted out at its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from broker.acl import Role
from broker.attendance import Visit
from broker.handler import DeviceHandler
from broker.terms import agreed, keep_alive_s

if TYPE_CHECKING:
    from broker.attendance import Attendance
    from broker.reception import Arrival, Reception
    from broker.restoring import Restoring
    from broker.shared import Shared
    from broker.transport import StreamLink

_FAREWELL_S = 1.5  # in which clients take the word that the broker goes


class Serving:
    """The connections of clients. `keep_alive` is the least that a device of MQTT 5 is granted, in seconds."""

    def __init__(
        self,
        *,
        shared: Shared,
        keep_alive: int,
        reception: Reception,
        restoring: Restoring,
        attendance: Attendance,
    ) -> None:
        self._shared = shared
        self._keep_alive = keep_alive
        self._reception = reception
        self._restoring = restoring
        self._attendance = attendance
        self._handlers: set[DeviceHandler] = set()
        self._log = structlog.get_logger()

    def use(self, *, shared: Shared, keep_alive: int) -> None:
        """Have these hold for clients that come from now on."""
        self._shared = shared
        self._keep_alive = keep_alive

    async def serve(self, link: StreamLink) -> None:
        """From the first byte to a handler that goes on by itself, or to the end."""
        admitted = None
        try:
            arrival = await self._reception.receive(link)
            if arrival is not None and await self._complete(arrival):
                admitted = arrival
        finally:
            if admitted is None:
                self._reception.leave(link.address)
                link.abort()
        if admitted is not None:
            self._admit(admitted, link)

    async def end(self) -> None:
        """End all connections. Wills are not sent: the broker goes, not the clients."""
        ending = [handler.task for handler in self._handlers if handler.task is not None]
        for handler in list(self._handlers):
            self._attendance.left(handler.owner.who.username)
            handler.discard_will()
            handler.evict("shutdown")
        if ending:
            await asyncio.wait(ending, timeout=_FAREWELL_S)

    async def _complete(self, arrival: Arrival) -> bool:
        """Wait until all is there that waited for a client. False when its login is none any more meanwhile."""
        if not arrival.connect.clean_start:
            await self._restoring.ready(arrival.grant.who.username)
        return self._reception.stands(arrival)

    def _admit(self, arrival: Arrival, link: StreamLink) -> None:
        """Give the client its session and its handler. Nothing comes between the two."""
        connect, who = arrival.connect, arrival.grant.who
        roster = self._shared.router.roster
        session, present = roster.open(
            who,
            arrival.grant.credential,
            clean=connect.clean_start,
            expiry_s=connect.session_s,
            bridge=connect.bridge,
        )
        keep_alive = keep_alive_s(connect, who, least=self._keep_alive)
        terms = agreed(
            connect,
            who,
            keep_alive=keep_alive,
            session_s=roster.lifetime_s(connect.session_s),
            packet=self._shared.limits.packet,
        )
        self._shared.statistics.accepted += 1
        self._log.info("client_connected", username=who.username, session_present=present, protocol=connect.level)
        self._reception.welcome(link, arrival.codec, terms, present=present)
        handler = DeviceHandler(
            session=session,
            connect=connect,
            codec=arrival.codec,
            packets=arrival.packets,
            link=link,
            shared=self._shared,
            keep_alive_s=keep_alive,
            address=link.address,
            gone=self._leave,
        )
        self._handlers.add(handler)
        handler.start()
        if who.role is Role.DEVICE:
            client_id = connect.client_id or terms.client_id or ""
            self._attendance.arrived(
                Visit(who.username, link.address, client_id, connect.level, link.carrier, link.encrypted)
            )

    def _leave(self, handler: DeviceHandler) -> None:
        """A connection has ended; its session has been left, or ended, or another connection has it."""
        self._handlers.discard(handler)
        self._reception.leave(handler.address)
        username = handler.owner.who.username
        now = self._shared.router.roster.sessions.get(username)
        if now is None or now.handler is None:
            self._attendance.left(username)
            self._log.info("client_gone", username=username)
