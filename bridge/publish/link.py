"""The link to the broker: a connection, and the next one when it is lost.

A new paho client is made for every connection: what was in flight is the outbox's business, never
paho's.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes

from bridge.contract import topics
from bridge.errors import LinkDownError, RefusedError, in_words
from bridge.publish.connection import BrokerConnection, mqtt5_properties
from bridge.publish.ending import end
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.config.endpoints import MqttUrl, TcpAddress
    from bridge.publish.backoff import Backoff
    from bridge.publish.connection import Incoming

CONNECT_DEADLINE_S = 15.0
RECEIVE_MAXIMUM = 20
"""What mosquitto grants by default (MQTT 5 §3.2.2.3.3); paho cannot learn it from CONNACK in time."""
SESSION_EXPIRY_S = 30 * 86_400
"""How long an MQTT 5 broker keeps requests for a bridge that is away."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the broker is and how to log in."""

    url: MqttUrl
    username: str
    password: str
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """`host:port` for the log, without credentials."""
        return str(self.url.address)


def prepared(target: Target, *, client_id: str, mqtt5: bool, clean: bool = False) -> paho.Client:
    """A client that is ready to connect to a broker; `clean` is whether its session ends with the connection."""
    url = target.url
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if mqtt5 else clean,
        protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
        transport="websockets" if url.websocket else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.username_pw_set(target.username, target.password)
    if url.encrypted:
        client.tls_set_context(ssl.create_default_context(cafile=target.ca_file))
    if url.websocket:
        client.ws_set_options(path=url.path or "/mqtt")
    return client


class Link:
    """Keeps a connection to the broker: connects, says so, waits until it is lost, backs off.

    `node` names the bridge: its client id and its status topic come of it. `target` is asked anew for
    each try; it raises LinkDownError while there is no telling where.
    """

    def __init__(
        self,
        *,
        target: Callable[[], Target],
        node: str,
        keepalive_s: int,
        mqtt5: bool,
        backoff: Backoff,
        jitter: Callable[[], float],
        on_message: Callable[[Incoming], Awaitable[None]],
        tally: Tally | None = None,
    ) -> None:
        self._target = target
        self._client_id = f"postbell-{node}"
        self._keepalive_s = keepalive_s
        self._mqtt5 = mqtt5
        self._status_topic = topics.status(node)
        self._backoff = backoff
        self._jitter = jitter
        self._on_message = on_message
        self._tally = tally or Tally()
        self.trouble = ""
        """Why the last try to connect failed."""
        self._log = structlog.get_logger()

    async def run(self, serve: Callable[[BrokerConnection], Coroutine[Any, Any, None]]) -> None:
        """Connect for ever; `serve` runs for each connection and is cancelled when it is lost."""
        attempt = 0
        while True:
            try:
                target = self._target()
                connection = await self._connect(target)
            except LinkDownError as error:
                self.trouble = str(error)
                self._log.info("broker_awaited", reason=self.trouble)
            except (OSError, RefusedError, TimeoutError) as error:
                self.trouble = in_words(error)
                self._tally.links["failed"] += 1
                self._log.warning("broker_unreachable", attempt=attempt + 1, reason=self.trouble)
            else:
                attempt = 0
                await self._serve(connection, target, serve)
            await asyncio.sleep(self._backoff.delay_s(attempt, jitter=self._jitter()))
            attempt += 1

    async def _serve(
        self,
        connection: BrokerConnection,
        target: Target,
        serve: Callable[[BrokerConnection], Coroutine[Any, Any, None]],
    ) -> None:
        self._tally.links["connected"] += 1
        self._log.info("broker_connected", broker=target.address, session_present=connection.session_present)
        serving = asyncio.create_task(serve(connection), name="serve-connection")
        try:
            connection.publish(self._status_topic, b"online", retain=True)
            ends: set[asyncio.Future[Any]] = {serving, connection.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            reason = connection.closed.result() if connection.closed.done() else "gave up"
            self._tally.links["lost"] += 1
            self._log.warning("broker_lost", broker=target.address, reason=reason)
        finally:
            try:
                with suppress(LinkDownError):  # that is why it ends
                    await end(serving)
            finally:
                if not connection.closed.done():
                    connection.publish(self._status_topic, b"offline", retain=True)
                await connection.close()

    async def _connect(self, target: Target) -> BrokerConnection:
        client = prepared(target, client_id=self._client_id, mqtt5=self._mqtt5)
        # On 3.1.1 the outbox alone keeps the window; an MQTT 5 broker cuts off who exceeds its receive maximum.
        client.max_inflight_messages_set(RECEIVE_MAXIMUM if self._mqtt5 else 0)
        client.will_set(self._status_topic, b"offline", qos=1, retain=True)
        connection = BrokerConnection(client, on_message=self._on_message)
        try:
            await self._handshake(client, connection, target.url.address)
        except BaseException:
            await _abandon(client)
            raise
        return connection

    def _dial(self, client: paho.Client, address: TcpAddress) -> None:
        if not self._mqtt5:
            client.connect(address.host, address.port, self._keepalive_s)
            return
        properties = mqtt5_properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_EXPIRY_S)
        client.connect(address.host, address.port, self._keepalive_s, clean_start=False, properties=properties)

    async def _handshake(self, client: paho.Client, connection: BrokerConnection, address: TcpAddress) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[ReasonCode, bool]] = loop.create_future()

        def answered(reason: ReasonCode, session_present: bool) -> None:  # noqa: FBT001 - MQTT's own flag
            if not answer.done():
                answer.set_result((reason, session_present))

        def connected(_c: Any, _u: Any, flags: paho.ConnectFlags, reason: ReasonCode, _p: Any) -> None:
            loop.call_soon_threadsafe(answered, reason, flags.session_present)

        client.on_connect = connected
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await asyncio.to_thread(self._dial, client, address)
            client.loop_start()
            ends: set[asyncio.Future[Any]] = {answer, connection.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise LinkDownError(connection.closed.result())
        reason, connection.session_present = answer.result()
        if reason != 0:
            raise RefusedError(f"the broker refused the connection: {reason}")


async def _abandon(client: paho.Client) -> None:
    client.disconnect()
    await asyncio.to_thread(client.loop_stop)
