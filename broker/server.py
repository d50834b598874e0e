"""The embedded broker: amqtt's Broker, hardened. It listens, and hands on whoever comes."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from amqtt.broker import Broker, Server
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError as AmqttBrokerError

from broker.address import Address
from broker.door import Doors
from broker.listeners import RELAY, UnavailableError, bind, bind_relay, delay_s
from broker.outgoing import HIGH_WATER
from broker.transport import RelayedLink, TcpLink
from broker.websocket import SocketLink

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from broker.listeners import Listener
    from broker.networks import Networks
    from broker.reception import Reception
    from broker.rounds import Rounds
    from broker.serving import Serving
    from broker.shared import Shared
    from broker.transport import StreamLink

    Opened = Callable[[Mapping[str, str], Mapping[str, str]], None]
    """Is told the addresses of all listeners by their names, and why others have none."""

_BACKLOG = 1024
_SEND_BUFFER = 131_072  # bytes; the kernel would keep megabytes for a client that does not read
_ARRIVAL = 16  # units of work (turns.py) that a new connection costs until its CONNECT is judged


class DeviceBroker(Broker):
    """Accepts connections on its listeners until `shutdown`. `addresses` says where, once `start` returned.

    At the UNIX socket `relay` our own web server comes in, with those for whom it speaks.
    """

    def __init__(
        self,
        *,
        listeners: list[Listener],
        ports: dict[str, int],
        relay: Path,
        tls: ssl.SSLContext | None,
        proxies: Networks,
        origins: Sequence[str],
        reception: Reception,
        serving: Serving,
        shared: Shared,
        rounds: Rounds,
    ) -> None:
        super().__init__(BrokerConfig(listeners={"default": ListenerConfig(bind=None)}, plugins={}))
        self.addresses: dict[str, str] = {}
        self.awaited: dict[str, str] = {}
        """Why each listener that is not open is not, by its name; it is tried again."""
        self._listeners = listeners
        self._ports = ports
        self._relay = relay
        self._origins = origins
        self._serving = serving
        self._shared = shared
        self._rounds = rounds
        self._receiving: set[asyncio.Task[None]] = set()  # the loop itself keeps its tasks only weakly
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

    def use(self, *, shared: Shared, proxies: Networks, origins: Sequence[str]) -> None:
        """Have these hold for clients that come from now on."""
        self._doors.use(proxies=proxies, timeout_s=shared.limits.handshake_timeout)
        self._shared = shared
        self._origins = origins

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
        await self._serving.end()
        await super().shutdown()

    def accepted(self, link: StreamLink, transport: asyncio.Transport) -> None:
        """Serve a connection, whatever it runs over, when its turn comes."""

        def serve() -> int:
            if not transport.is_closing():
                _bound_send_buffer(transport.get_extra_info("socket"))
            task = self._loop.create_task(self._serving.serve(link), name="serve-client")
            self._receiving.add(task)
            task.add_done_callback(self._receiving.discard)
            return _ARRIVAL

        self._shared.turns.ask(serve)

    async def _start_listeners(self) -> None:
        instance: Any = await bind_relay(self._relay, self._listen_to_relay)
        self._servers[RELAY.name] = Server(RELAY.name, instance)
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

    async def _listen_to_relay(self, path: str) -> asyncio.Server:
        return await self._loop.create_unix_server(partial(self._doors.door, RELAY), path, backlog=_BACKLOG)

    def _link(self, listener: Listener) -> StreamLink:
        if not listener.websocket:
            return (RelayedLink if listener.proxied else TcpLink)(self.accepted, self._shared.writes)
        limits = self._shared.limits
        return SocketLink(
            self.accepted,
            self._shared.writes,
            turns=self._shared.turns,
            max_size=limits.packet,
            most_unsent=HIGH_WATER + limits.packet + limits.write_buffer,
            origins=self._origins,
            asked=self._asked,
        )

    async def _broadcast_loop(self) -> None:
        """Nothing to loop over: a publish is delivered by the call that received it."""
        await self._broadcast_shutdown_waiter

    async def _session_monitor(self) -> None:
        await self._rounds.run()


def _bound_send_buffer(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
