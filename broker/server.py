"""The embedded broker: amqtt's Broker, hardened. From an accepted connection to a handler that serves it.

The order of things is the protection: bounds, then CONNECT within its deadline, then the password,
and only then anything that could touch a session.
"""

from __future__ import annotations

import asyncio
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import websockets
from amqtt.broker import Broker, Server
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError as AmqttBrokerError
from amqtt.mqtt.connack import (
    BAD_USERNAME_PASSWORD,
    CONNECTION_ACCEPTED,
    IDENTIFIER_REJECTED,
    NOT_AUTHORIZED,
    SERVER_UNAVAILABLE,
    UNACCEPTABLE_PROTOCOL_VERSION,
    ConnackPacket,
)

from broker import codec
from broker.errors import LoginsUnavailableError, ProtocolError
from broker.handler import DeviceHandler
from broker.listeners import bind
from broker.retained import Message
from broker.transport import SocketReader, SocketWriter, StreamLink

if TYPE_CHECKING:
    import ssl

    from websockets.asyncio.server import ServerConnection

    from broker.admission import Admission
    from broker.auth import Grant, Logins, LoginTable
    from broker.codec import Connect
    from broker.listeners import Listener
    from broker.router import Router
    from broker.sessions import SessionStore
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import ChunkReader, Writer

_BACKLOG = 1024
_CONNECT_SIZE = 16_384  # bytes that a stranger may make the broker hold
_SEND_BUFFER = 131_072  # bytes; the kernel would hold megabytes for a client that does not read
_LINGER = 2.0  # seconds in which a refused client must take its CONNACK
_REPORT = 10.0  # seconds between two rounds of $SYS and of looking for expired sessions


class DeviceBroker(Broker):
    """Accepts connections on its listeners until `shutdown`. `addresses` says where, once `start` returned."""

    def __init__(
        self,
        *,
        listeners: list[Listener],
        ports: dict[str, int],
        tls: ssl.SSLContext | None,
        limits: BrokerLimits,
        session_seconds: float,
        logins: Logins,
        admission: Admission,
        router: Router,
        store: SessionStore,
        statistics: Statistics,
    ) -> None:
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=None)}, plugins={}))
        self.addresses: dict[str, str] = {}
        self._listeners = listeners
        self._ports = ports
        self._tls = tls
        self._limits = limits
        self._session_seconds = session_seconds
        self._logins = logins
        self._admission = admission
        self._router = router
        self._store = store
        self._statistics = statistics
        self._greeting: set[asyncio.Task[None]] = set()  # the loop itself holds its tasks only weakly
        self._serving: set[DeviceHandler] = set()
        self._log = structlog.get_logger()
        self._begun = self._loop.time()

    async def start(self) -> None:
        """Listen. Raises ListenError."""
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
            handler.discard_will()
            handler.evict("shutdown")
        await super().shutdown()

    def stream_accepted(self, link: StreamLink, transport: asyncio.Transport) -> None:
        """Serve a TCP or TLS connection."""
        _bound_send_buffer(transport.get_extra_info("socket"))
        task = self._loop.create_task(self._serve(link, link, _address(transport)))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def ws_connected(self, websocket: ServerConnection, listener_name: str) -> None:
        """Serve a WebSocket; without the subprotocol `mqtt` it was refused before [MQTT-6.0.0-3]."""
        del listener_name  # all listeners have the same rules
        _bound_send_buffer(websocket.transport.get_extra_info("socket"))
        await self._serve(SocketReader(websocket), SocketWriter(websocket), _address(websocket.transport))
        await websocket.wait_closed()

    async def _start_listeners(self) -> None:
        for listener in self._listeners:
            instance: Any = await bind(listener, self._ports.get(listener.name), partial(self._listen, listener))
            self._servers[listener.name] = Server(listener.name, instance)
            host, port = next(iter(instance.sockets)).getsockname()[:2]
            self.addresses[listener.name] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            self._log.info("listening", listener=listener.name, address=self.addresses[listener.name])

    async def _listen(self, listener: Listener, port: int) -> Any:
        tls = self._tls if listener.tls else None
        if listener.websocket:
            return await websockets.serve(
                partial(self.ws_connected, listener_name=listener.name),
                listener.host,
                port,
                ssl=tls,
                subprotocols=[websockets.Subprotocol("mqtt")],
                compression=None,  # costs memory for each connection, and small payloads hardly shrink
                max_size=self._limits.packet,
                max_queue=2,  # frames that a stranger may make the library hold
                open_timeout=self._limits.connect_timeout,
                ping_interval=None,  # MQTT has its own keepalive, and phones sleep
                close_timeout=_LINGER,
                backlog=_BACKLOG,
            )
        return await self._loop.create_server(
            partial(StreamLink, self.stream_accepted),
            listener.host,
            port,
            ssl=tls,
            ssl_handshake_timeout=self._limits.connect_timeout if tls else None,
            backlog=_BACKLOG,
        )

    async def _serve(self, reader: ChunkReader, writer: Writer, address: str) -> None:
        """From the first byte to a handler that goes on by itself, or to the end."""
        packets = codec.Packets(reader, min(self._limits.packet, _CONNECT_SIZE))
        refusal = self._admission.enter(address)
        self._statistics.connections += 1
        handler = None
        try:
            if refusal is not None:
                self._statistics.drop(refusal)
                self._log.warning("connection_refused", reason=refusal, address=address)
            handler = await self._greet(packets, writer, address, refused=refusal is not None)
        finally:
            if handler is None:
                self._forget(address)
                writer.abort()
        if handler is not None:
            self._serving.add(handler)
            handler.start()

    async def _greet(
        self, packets: codec.Packets, writer: Writer, address: str, *, refused: bool
    ) -> DeviceHandler | None:
        """Read CONNECT and answer it. Returns the handler when the client was let in."""
        try:
            async with asyncio.timeout(_LINGER if refused else self._limits.connect_timeout):
                frame = await packets.read()
                if frame is None:
                    return None
                connect = codec.connect(frame)
                code, grant = (SERVER_UNAVAILABLE, None) if refused else await self._judge(connect, address)
        except TimeoutError:
            self._statistics.drop("no_connect")
            self._log.info("connection_ended", reason="no_connect", address=address)
            return None
        except ProtocolError as error:
            self._statistics.drop("protocol_error")
            self._log.warning("protocol_error", address=address, error=str(error))
            return None
        if grant is None:
            await self._refuse(packets, writer, code)
            return None
        return self._admit(grant, connect, packets, writer, address)

    async def _judge(self, connect: Connect, address: str) -> tuple[int, Grant | None]:
        """The CONNACK code for a CONNECT, and the grant when it is 0. Nothing is changed yet."""
        if connect.level != 4:
            return UNACCEPTABLE_PROTOCOL_VERSION, None  # [MQTT-3.1.2-2]
        if not connect.client_id and not connect.clean_session:
            return IDENTIFIER_REJECTED, None  # [MQTT-3.1.3-8]
        if connect.username is None or connect.password is None:
            return NOT_AUTHORIZED, None
        now = self._loop.time()
        barred = self._admission.barred(address, now)
        try:
            grant = await self._logins.check(connect.username, connect.password, barred=barred)
        except LoginsUnavailableError:
            return SERVER_UNAVAILABLE, None
        if grant is not None:
            return CONNECTION_ACCEPTED, grant
        self._statistics.drop("wrong_password")
        if self._admission.failed(address, now):
            self._log.warning("too_many_login_failures", address=address)
        elif not barred:
            self._log.warning("login_failed", address=address)
        return BAD_USERNAME_PASSWORD, None

    async def _refuse(self, packets: codec.Packets, writer: Writer, code: int) -> None:
        """Send the CONNACK, and wait until the client has seen it and gone, or for a short while."""
        writer.write(ConnackPacket.build(0, code).to_bytes())  # [MQTT-3.2.2-4]
        writer.finish()
        try:
            async with asyncio.timeout(_LINGER):
                while await packets.read() is not None:
                    pass
        except (TimeoutError, ProtocolError):
            return

    def _admit(
        self,
        grant: Grant,
        connect: Connect,
        packets: codec.Packets,
        writer: Writer,
        address: str,
    ) -> DeviceHandler:
        """Give the client its session [MQTT-3.2.2-2]. From here until it is started nothing comes between."""
        session, present = self._router.open(grant.who, grant.credential, clean=connect.clean_session)
        self._statistics.accepted += 1
        packets.limit = self._limits.packet
        self._log.info("client_connected", username=grant.who.username, session_present=present)
        writer.write(ConnackPacket.build(int(present), CONNECTION_ACCEPTED).to_bytes())
        return DeviceHandler(
            session=session,
            connect=connect,
            packets=packets,
            writer=writer,
            router=self._router,
            store=self._store,
            limits=self._limits,
            statistics=self._statistics,
            address=address,
            gone=self._leave,
        )

    def _leave(self, handler: DeviceHandler) -> None:
        """A connection has ended. Its session stays if it is durable, unless another connection has it."""
        self._serving.discard(handler)
        self._forget(handler.address)
        session = handler.owner
        if session.handler is not None or self._router.sessions.get(session.who.username) is not session:
            return
        self._log.info("client_gone", username=session.who.username)
        if session.durable:
            self._router.touch(session)
        else:
            self._router.drop(session)

    def _forget(self, address: str) -> None:
        self._admission.leave(address)
        self._statistics.connections -= 1

    def apply_logins(self, table: LoginTable) -> None:
        """End the sessions whose login was revoked: at once, so within a second of the change."""
        for session in list(self._router.sessions.values()):
            if table.find(session.who.username, session.credential) != session.who:
                if session.handler is not None:
                    session.handler.discard_will()
                    session.handler.evict("revoked")
                self._router.drop(session)

    async def _broadcast_loop(self) -> None:
        """Nothing to loop over: a publish is delivered by the call that received it."""
        await self._broadcast_shutdown_waiter

    async def _session_monitor(self) -> None:
        while True:
            self._router.expire(time.time() - self._session_seconds)
            for topic, value in self._figures().items():
                self._router.publish(Message(topic, value.encode(), 0), retain=True)
            await asyncio.sleep(_REPORT)

    def _figures(self) -> dict[str, str]:
        return self._statistics.topics(
            sessions=len(self._router.sessions),
            subscriptions=len(self._router.subscriptions),
            retained=len(self._router.retained),
            queued=sum(len(session.delivery) for session in self._router.sessions.values()),
            uptime=self._loop.time() - self._begun,
        )


def _bound_send_buffer(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def _address(transport: asyncio.BaseTransport) -> str:
    """The client's address without its port; empty when it is gone already."""
    return str((transport.get_extra_info("peername") or ("",))[0])
