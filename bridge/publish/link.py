"""The link to the broker: a connection, and the next one when it is lost.

A new paho client is made for every connection: what was in flight is the outbox's business, never
paho's.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from paho.mqtt.packettypes import PacketTypes

from bridge.contract import topics
from bridge.errors import LinkDownError, RefusedError, in_words
from bridge.publish import properties
from bridge.publish.connection import BrokerConnection, hang_up
from bridge.publish.driven import DrivenClient
from bridge.publish.ending import end
from bridge.publish.granted import Granted
from bridge.publish.target import prepared
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    import paho.mqtt.client as paho
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.config.endpoints import TcpAddress
    from bridge.config.values import MqttVersion
    from bridge.publish.backoff import Backoff
    from bridge.publish.connection import Incoming
    from bridge.publish.target import Target

CONNECT_DEADLINE_S = 15.0
LOOKS = 4
"""So many times in a keepalive it is looked whether a ping is due, or its answer."""
SESSION_EXPIRY_S = 30 * 86_400
"""How long an MQTT 5 broker keeps requests for a bridge that is away."""
UNSUPPORTED_VERSION = 0x84
"""The reason of a CONNACK (MQTT 5 §3.2.2.2); paho makes it of the return code 1 of older brokers as well."""
VERSIONS: Mapping[MqttVersion, Sequence[bool]] = {"auto": (True, False), "5": (True,), "3.1.1": (False,)}
"""Whether to try MQTT 5, one try after the other, by what the configuration says."""


class _OlderError(RefusedError):
    """The broker does not speak this version of MQTT."""


class Link:
    """Keeps a connection to the broker: connects, says so, waits until it is lost, backs off.

    `node` names the bridge: its client id and its status topic come of it. `target` is asked anew for
    each try; it raises LinkDownError while there is no telling where. `version` is the MQTT to speak: with `auto`
    that is 5, or 3.1.1 for the life of a connection to a broker that does not speak 5.
    """

    def __init__(
        self,
        *,
        target: Callable[[], Target],
        node: str,
        keepalive_s: int,
        version: MqttVersion,
        backoff: Backoff,
        jitter: Callable[[], float],
        on_message: Callable[[Incoming], Awaitable[None]],
        tally: Tally | None = None,
    ) -> None:
        self._target = target
        self._client_id = f"postbell-{node}"
        self._keepalive_s = keepalive_s
        self._versions = VERSIONS[version]
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
        granted = connection.granted
        self._log.info(
            "broker_connected",
            broker=target.address,
            protocol=granted.version,
            session_present=granted.session_present,
        )
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
        """A connection in the first version that the broker speaks; one that is too old may just end the connection."""
        for mqtt5 in self._versions[:-1]:
            with suppress(_OlderError, LinkDownError):
                return await self._try(target, mqtt5=mqtt5)
        return await self._try(target, mqtt5=self._versions[-1])

    async def _try(self, target: Target, *, mqtt5: bool) -> BrokerConnection:
        client = prepared(target, client_id=self._client_id, mqtt5=mqtt5, kind=DrivenClient)
        client.max_inflight_messages_set(0)  # paho's window cannot be changed once CONNACK is there: ours is
        client.will_set(self._status_topic, b"offline", qos=1, retain=True)
        connection = BrokerConnection(client, on_message=self._on_message)
        try:
            await self._handshake(client, connection, target.url.address, mqtt5=mqtt5)
        except BaseException:
            hang_up(client)
            raise
        return connection

    def _dial(self, client: paho.Client, address: TcpAddress, *, mqtt5: bool) -> None:
        if not mqtt5:
            client.connect(address.host, address.port, self._keepalive_s)
            return
        asked = properties.named(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_EXPIRY_S)
        client.connect(address.host, address.port, self._keepalive_s, clean_start=False, properties=asked)

    async def _handshake(
        self, client: DrivenClient, connection: BrokerConnection, address: TcpAddress, *, mqtt5: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[ReasonCode, Granted]] = loop.create_future()

        def answered(reason: ReasonCode, granted: Granted) -> None:
            if not answer.done():
                answer.set_result((reason, granted))

        def connected(_c: Any, _u: Any, flags: paho.ConnectFlags, reason: ReasonCode, said: Properties | None) -> None:
            granted = Granted.of(said, mqtt5=mqtt5, session_present=flags.session_present)
            answered(reason, granted)

        client.on_connect = connected
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await asyncio.to_thread(self._dial, client, address, mqtt5=mqtt5)
            client.attach(loop, look_s=self._keepalive_s / LOOKS)
            ends: set[asyncio.Future[Any]] = {answer, connection.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise LinkDownError(connection.closed.result())
        reason, connection.granted = answer.result()
        if reason != 0:
            refused = f"the broker refused the connection: {reason}"
            raise _OlderError(refused) if reason.value == UNSUPPORTED_VERSION else RefusedError(refused)
