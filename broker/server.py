"""The embedded broker: amqtt's Broker, hardened. It listens, and gives each client that is let in its handler."""

from __future__ import annotations

import asyncio
import socket
import time
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
from broker.retained import Message
from broker.transport import TcpLink
from broker.websocket import SocketLink

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from broker.attendance import Attendance
    from broker.listeners import Listener
    from broker.networks import Networks
    from broker.reception import Arrival, Reception
    from broker.router import Router
    from broker.sessions import SessionStore
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import StreamLink
    from broker.turns import Turns

    Opened = Callable[[Mapping[str, str], Mapping[str, str]], None]
    """Is told the addresses of all listeners by their names, and why others have none."""
    from broker.vitals import Vitals

_BACKLOG = 1024
_SEND_BUFFER = 131_072  # bytes; the kernel would keep megabytes for a client that does not read
_ARRIVAL = 16  # units of work (turns.py) that a new connection costs until its CONNECT is judged
_REPORT_S = 10.0  # between two rounds of $SYS and of looking for expired sessions


class DeviceBroker(Broker):
    """Accepts connections on its listeners until `shutdown`. `addresses` says where, once `start` returned."""

    def __init__(
        self,
        *,
        listeners: list[Listener],
        ports: dict[str, int],
        tls: ssl.SSLContext | None,
        limits: BrokerLimits,
        proxies: Networks,
        origins: Sequence[str],
        session_s: float,
        reception: Reception,
        router: Router,
        store: SessionStore,
        statistics: Statistics,
        vitals: Vitals,
        attendance: Attendance,
        turns: Turns,
    ) -> None:
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=None)}, plugins={}))
        self.addresses: dict[str, str] = {}
        self.awaited: dict[str, str] = {}
        """Why each listener that is not open is not, by its name; it is tried again."""
        self._listeners = listeners
        self._ports = ports
        self._limits = limits
        self._origins = origins
        self._session_s = session_s
        self._reception = reception
        self._router = router
        self._store = store
        self._statistics = statistics
        self._vitals = vitals
        self._attendance = attendance
        self._turns = turns
        self._receiving: set[asyncio.Task[None]] = set()  # the loop itself keeps its tasks only weakly
        self._serving: set[DeviceHandler] = set()
        self._log = structlog.get_logger()
        self._begun_at = self._loop.time()
        self._doors = Doors(
            desk=reception,
            turns=turns,
            tls=tls,
            proxies=proxies,
            timeout_s=limits.handshake_timeout,
            link=self._link,
        )

    def use(self, *, limits: BrokerLimits, proxies: Networks, origins: Sequence[str], session_s: float) -> None:
        """Have these hold: for clients that come from now on, what does not hold for sessions."""
        self._doors.use(proxies=proxies, timeout_s=limits.handshake_timeout)
        self._limits = limits
        self._origins = origins
        self._session_s = session_s

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
        for handler in self._serving:
            self._router.touch(handler.owner)
            self._attendance.left(handler.owner.who.username)
            handler.discard_will()
            handler.evict("shutdown")
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

        self._turns.ask(serve)

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
        limits = self._limits
        return SocketLink(
            self.accepted,
            turns=self._turns,
            max_size=limits.packet,
            most_unsent=HIGH_WATER + limits.packet + limits.write_buffer,
            origins=self._origins,
            asked=self._doors.asked,
        )

    async def _serve(self, link: StreamLink) -> None:
        """From the first byte to a handler that goes on by itself, or to the end."""
        arrival = None
        try:
            arrival = await self._reception.receive(link)
        finally:
            if arrival is None:
                self._reception.leave(link.address)
                link.abort()
        if arrival is not None:
            self._admit(arrival, link)

    def _admit(self, arrival: Arrival, link: StreamLink) -> None:
        """Give the client its session and its handler. Nothing comes between the two."""
        grant, connect = arrival.grant, arrival.connect
        session, present = self._router.open(grant.who, grant.credential, clean=connect.clean_session)
        self._statistics.accepted += 1
        self._log.info("client_connected", username=grant.who.username, session_present=present)
        self._reception.welcome(link, present=present)
        handler = DeviceHandler(
            session=session,
            connect=connect,
            packets=arrival.packets,
            link=link,
            router=self._router,
            store=self._store,
            limits=self._limits,
            statistics=self._statistics,
            turns=self._turns,
            address=link.address,
            gone=self._leave,
        )
        self._serving.add(handler)
        handler.start()
        if grant.who.role is Role.DEVICE:
            transport = "websocket" if isinstance(link, SocketLink) else "tcp"
            self._attendance.arrived(
                Visit(grant.who.username, link.address, connect.client_id, connect.level, transport, link.encrypted)
            )

    def _leave(self, handler: DeviceHandler) -> None:
        """A connection has ended. Its session stays if it is durable, unless another connection has it."""
        self._serving.discard(handler)
        self._reception.leave(handler.address)
        session = handler.owner
        now = self._router.sessions.get(session.who.username)
        if now is None or now.handler is None:
            self._attendance.left(session.who.username)
        if session.handler is not None or now is not session:
            return
        self._log.info("client_gone", username=session.who.username)
        if session.durable:
            self._router.touch(session)
        else:
            self._router.drop(session)

    async def _broadcast_loop(self) -> None:
        """Nothing to loop over: a publish is delivered by the call that received it."""
        await self._broadcast_shutdown_waiter

    async def _session_monitor(self) -> None:
        while True:
            self._router.expire(time.time() - self._session_s)
            for topic, value in self._figures().items():
                self._router.publish(Message(topic, value.encode(), 0), retain=True)
            await asyncio.sleep(_REPORT_S)

    def _figures(self) -> dict[str, str]:
        return self._statistics.topics(
            sessions=len(self._router.sessions),
            subscriptions=len(self._router.subscriptions),
            retained=len(self._router.retained),
            queued=sum(len(session.delivery) for session in self._router.sessions.values()),
            uptime_s=self._loop.time() - self._begun_at,
            vitals=self._vitals.figures(),
        )


def _bound_send_buffer(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
