"""The embedded broker: amqtt's Broker, hardened. It listens, and gives each client that is let in its handler."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from amqtt.broker import Broker, Server
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError as AmqttBrokerError

from broker.acl import Role
from broker.address import Address
from broker.attendance import Visit
from broker.door import Doors
from broker.handler import DeviceHandler
from broker.listeners import UnavailableError, bind, delay_s
from broker.outgoing import HIGH_WATER
from broker.terms import agreed, keep_alive_s
from broker.transport import TcpLink
from broker.websocket import SocketLink

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from broker.attendance import Attendance
    from broker.listeners import Listener
    from broker.networks import Networks
    from broker.reception import Arrival, Reception
    from broker.restoring import Restoring
    from broker.rounds import Rounds
    from broker.shared import Shared
    from broker.transport import StreamLink

    Opened = Callable[[Mapping[str, str], Mapping[str, str]], None]
    """Is told the addresses of all listeners by their names, and why others have none."""

_BACKLOG = 1024
_SEND_BUFFER = 131_072  # bytes; the kernel would keep megabytes for a client that does not read
_ARRIVAL = 16  # units of work (turns.py) that a new connection costs until its CONNECT is judged
_FAREWELL_S = 1.5  # in which clients take the word that the broker goes


class DeviceBroker(Broker):
    """Accepts connections on its listeners until `shutdown`. `addresses` says where, once `start` returned."""

    def __init__(
        self,
        *,
        listeners: list[Listener],
        ports: dict[str, int],
        tls: ssl.SSLContext | None,
        proxies: Networks,
        origins: Sequence[str],
        keep_alive: int,
        reception: Reception,
        restoring: Restoring,
        shared: Shared,
        rounds: Rounds,
        attendance: Attendance,
    ) -> None:
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=None)}, plugins={}))
        self.addresses: dict[str, str] = {}
        self.awaited: dict[str, str] = {}
        """Why each listener that is not open is not, by its name; it is tried again."""
        self._listeners = listeners
        self._ports = ports
        self._origins = origins
        self._keep_alive = keep_alive
        self._reception = reception
        self._restoring = restoring
        self._shared = shared
        self._rounds = rounds
        self._attendance = attendance
        self._receiving: set[asyncio.Task[None]] = set()  # the loop itself keeps its tasks only weakly
        self._serving: set[DeviceHandler] = set()
        self._log = structlog.get_logger()
        self._doors = Doors(
            desk=reception,
            turns=shared.turns,
            tls=tls,
            proxies=proxies,
            timeout_s=shared.limits.handshake_timeout,
            link=self._link,
        )
        self._asked = self._doors.asked  # one for all: each time it is looked up it is another object

    def use(self, *, shared: Shared, proxies: Networks, origins: Sequence[str], keep_alive: int) -> None:
        """Have these hold for clients that come from now on."""
        self._doors.use(proxies=proxies, timeout_s=shared.limits.handshake_timeout)
        self._shared = shared
        self._origins = origins
        self._keep_alive = keep_alive

    async def start(self) -> None:
        """Listen where that can be done now. Raises ConfigurationError for what only a person can mend."""
        try:
            await super().start()
        except AmqttBrokerError as error:
            raise error.__cause__ or error from None

    async def shutdown(self) -> None:
        """Stop listening and end all connections. Wills are not sent: the broker goes, not the clients."""
        for server in self._servers.values():
            server.instance.close()
        ending = [handler.task for handler in self._serving if handler.task is not None]
        for handler in list(self._serving):
            self._attendance.left(handler.owner.who.username)
            handler.discard_will()
            handler.evict("shutdown")
        if ending:
            await asyncio.wait(ending, timeout=_FAREWELL_S)
        await super().shutdown()

    def accepted(self, link: StreamLink, transport: asyncio.Transport) -> None:
        """Serve a connection, whatever it runs over, when its turn comes."""

        def serve() -> int:
            if not transport.is_closing():
                _bound_send_buffer(transport.get_extra_info("socket"))
            task = self._loop.create_task(self._serve(link), name="serve-client")
            self._receiving.add(task)
            task.add_done_callback(self._receiving.discard)
            return _ARRIVAL

        self._shared.turns.ask(serve)

    async def _start_listeners(self) -> None:
        for listener in self._listeners:
            try:
                await self._open(listener)
            except UnavailableError as error:
                self.awaited[listener.name] = error.reason
                self._log.warning(
                    "listener_awaited",
                    listener=listener.name,
                    address=str(listener.address),
                    reason=error.reason,
                    cure=error.cure,
                )

    async def listen(self, *, opened: Opened, jitter: Callable[[], float]) -> None:
        """Open what could not be opened at the start as soon as it can be; `opened` is told of each.

        Raises ConfigurationError for what only a person can mend.
        """
        async with asyncio.TaskGroup() as tasks:
            for listener in self._listeners:
                if listener.name in self.awaited:
                    tasks.create_task(self._try_on(listener, opened=opened, jitter=jitter), name="listener")

    async def _try_on(self, listener: Listener, *, opened: Opened, jitter: Callable[[], float]) -> None:
        attempt = 0
        while listener.name in self.awaited:
            await asyncio.sleep(delay_s(attempt, jitter=jitter()))
            attempt += 1
            try:
                await self._open(listener)
            except UnavailableError as error:
                self.awaited[listener.name] = error.reason
            else:
                del self.awaited[listener.name]
        opened(self.addresses, self.awaited)

    async def _open(self, listener: Listener) -> None:
        instance: Any = await bind(listener, self._ports.get(listener.name), partial(self._listen, listener))
        self._servers[listener.name] = Server(listener.name, instance)
        host, port = next(iter(instance.sockets)).getsockname()[:2]
        self.addresses[listener.name] = str(Address(host, port))
        self._log.info("listening", listener=listener.name, address=self.addresses[listener.name])

    async def _listen(self, listener: Listener, port: int) -> asyncio.Server:
        return await self._loop.create_server(
            partial(self._doors.door, listener), listener.address.host, port, backlog=_BACKLOG
        )

    def _link(self, listener: Listener) -> StreamLink:
        if not listener.websocket:
            return TcpLink(self.accepted)
        limits = self._shared.limits
        return SocketLink(
            self.accepted,
            turns=self._shared.turns,
            max_size=limits.packet,
            most_unsent=HIGH_WATER + limits.packet + limits.write_buffer,
            origins=self._origins,
            asked=self._asked,
        )

    async def _serve(self, link: StreamLink) -> None:
        """From the first byte to a handler that goes on by itself, or to the end."""
        arrival = None
        try:
            arrival = await self._reception.receive(link)
            if arrival is not None and not arrival.connect.clean_start:
                await self._restoring.ready(arrival.grant.who.username)
            if arrival is not None and not self._reception.stands(arrival):
                arrival = None
        finally:
            if arrival is None:
                self._reception.leave(link.address)
                link.abort()
        if arrival is not None:
            self._admit(arrival, link)

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
        self._serving.add(handler)
        handler.start()
        if who.role is Role.DEVICE:
            transport = "websocket" if isinstance(link, SocketLink) else "tcp"
            self._attendance.arrived(
                Visit(who.username, link.address, connect.client_id, connect.level, transport, link.encrypted)
            )

    def _leave(self, handler: DeviceHandler) -> None:
        """A connection has ended; its session has been left, or ended, or another connection has it."""
        self._serving.discard(handler)
        self._reception.leave(handler.address)
        username = handler.owner.who.username
        now = self._shared.router.roster.sessions.get(username)
        if now is None or now.handler is None:
            self._attendance.left(username)
            self._log.info("client_gone", username=username)

    async def _broadcast_loop(self) -> None:
        """Nothing to loop over: a publish is delivered by the call that received it."""
        await self._broadcast_shutdown_waiter

    async def _session_monitor(self) -> None:
        await self._rounds.run()


def _bound_send_buffer(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
