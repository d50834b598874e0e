"""The bridge's connection to its broker, over paho-mqtt.

paho runs its own network thread; what it reports is handed to the event loop in batches, so a
burst of acknowledgements costs one wake-up. A new paho client is made for every connection: what
was in flight is the outbox's business, never paho's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from bridge.errors import LinkDownError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from pathlib import Path

    from paho.mqtt.reasoncodes import ReasonCode

    from bridge.publish.backoff import Backoff

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
CONNECT_DEADLINE_S = 15.0
ACKNOWLEDGE_DEADLINE_S = 30.0
UNACKNOWLEDGED_AT_ONCE = 1000
RECEIVE_MAXIMUM = 20
"""What mosquitto grants by default (MQTT 5 §3.2.2.3.3); paho cannot learn it from CONNACK in time."""
SESSION_EXPIRY_S = 30 * 86_400
"""How long an MQTT 5 broker keeps requests for a bridge that is away."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the broker is and how to log in."""

    url: str
    username: str
    password: str
    ca_file: Path | None = None

    @property
    def address(self) -> str:
        """`host:port` for the log, without credentials."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message from the broker; the last two only on MQTT 5, and only when the sender set them."""

    topic: str
    payload: bytes
    response_topic: str = ""
    correlation: bytes | None = None


class BrokerConnection:
    """One MQTT connection, made before paho connects. All methods are for the event loop's thread.

    It listens from the first packet on: a broker that still has our session delivers what waited in
    it right behind CONNACK, and what nobody takes and acknowledges would block its window for good.

    `on_retained` gets each replayed retained message and is called in paho's thread, so that a
    large replay does not keep the loop; `on_message` gets everything else on the loop.
    """

    def __init__(
        self,
        client: paho.Client,
        *,
        on_message: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        self.session_present = False
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.on_retained: Callable[[str, bytes], None] = lambda _topic, _payload: None
        self._client = client
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._reports: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()
        client.on_publish = lambda _c, _u, mid, *_: self._report(self._acknowledged, mid)
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._report(self._subscribed, mid, codes)
        client.on_unsubscribe = lambda _c, _u, mid, *_: self._report(self._acknowledged, mid)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self._report(self._lost, str(reason))
        client.on_message = self._received

    def publish(
        self, topic: str, payload: bytes, *, retain: bool, correlation: bytes | None = None
    ) -> asyncio.Future[None]:
        """Send a QoS 1 publish; the future is done at PUBACK or fails with LinkDownError.

        `correlation` goes along as correlation data (MQTT 5 §3.3.2.3.6) and is for MQTT 5 only.
        """
        properties = None if correlation is None else _properties(PacketTypes.PUBLISH, CorrelationData=correlation)
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return self._wait_for(info.rc, info.mid)

    async def subscribe(self, filters: Sequence[str], *, qos: int) -> None:
        """Subscribe and wait for SUBACK; raises LinkDownError, RefusedError or TimeoutError."""
        code, mid = self._client.subscribe([(topic_filter, qos) for topic_filter in filters])
        await asyncio.wait_for(self._wait_for(code, mid or 0), ACKNOWLEDGE_DEADLINE_S)

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe and wait for UNSUBACK; raises LinkDownError."""
        code, mid = self._client.unsubscribe(list(filters))
        await asyncio.wait_for(self._wait_for(code, mid or 0), ACKNOWLEDGE_DEADLINE_S)

    async def close(self) -> None:
        """Say goodbye and end paho's thread; whatever still waits fails with LinkDownError."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._lost("closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what paho reports ------------------------------------------------------------------------

    def _wait_for(self, code: MQTTErrorCode, mid: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self.closed.done():
            future.set_exception(LinkDownError("not connected"))
            future.exception()  # whoever awaits it sees it; nobody else needs to be told
        else:
            self._waiting[mid] = future
        return future

    def _report(self, what: Callable[..., None], *arguments: Any) -> None:
        """Queue a report from paho's thread, and wake the loop if it is not awake for us already."""
        self._reports.append((what, arguments))
        if not self._scheduled and not self._loop.is_closed():
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._take_reports)

    def _take_reports(self) -> None:
        self._scheduled = False
        while self._reports:
            what, arguments = self._reports.popleft()
            what(*arguments)

    def _acknowledged(self, mid: int) -> None:
        future = self._waiting.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _subscribed(self, mid: int, codes: list[ReasonCode]) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        future = self._waiting.pop(mid, None)
        if future is None or future.done():
            return
        if refused:
            future.set_exception(RefusedError(f"the broker refused a subscription: {refused[0]}"))
        else:
            future.set_result(None)

    def _lost(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(LinkDownError(reason))
                future.exception()

    def _received(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            self.on_retained(message.topic, bytes(message.payload))
            client.ack(message.mid, message.qos)
        else:
            self._report(self._deliver, message)

    def _deliver(self, message: paho.MQTTMessage) -> None:
        if message.qos == 0 and len(self._tasks) >= UNACKNOWLEDGED_AT_ONCE:
            return  # what is sent without a window is dropped when it comes faster than it is handled
        task = self._loop.create_task(self._handle(message), name=f"message-{message.mid}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, message: paho.MQTTMessage) -> None:
        """Acknowledge only what was handled: a request that we are killed over comes again.

        This is the edge towards devices: whatever a request brings up is logged and answered with
        an acknowledgement, or it would come again for ever.
        """
        properties = message.properties
        incoming = Incoming(
            message.topic,
            bytes(message.payload),
            getattr(properties, "ResponseTopic", ""),
            getattr(properties, "CorrelationData", None),
        )
        try:
            await self._on_message(incoming)
        except Exception:  # noqa: BLE001 - the session edge towards devices
            self._log.exception("request_failed")
        self._client.ack(message.mid, message.qos)


class Link:
    """Keeps a connection to the broker: connects, says so, waits until it is lost, backs off.

    `target` is asked anew for each try; it raises LinkDownError while there is no telling where.
    """

    def __init__(
        self,
        *,
        target: Callable[[], Target],
        client_id: str,
        keepalive_s: int,
        mqtt5: bool,
        status_topic: str,
        backoff: Backoff,
        jitter: Callable[[], float],
        on_message: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        self._target = target
        self._client_id = client_id
        self._keepalive_s = keepalive_s
        self._mqtt5 = mqtt5
        self._status_topic = status_topic
        self._backoff = backoff
        self._jitter = jitter
        self._on_message = on_message
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
                self.trouble = str(error) or "timed out"
                self._log.warning("broker_unreachable", attempt=attempt + 1, reason=self.trouble)
            else:
                attempt = 0
                await self._serve(connection, target, serve)
            await asyncio.sleep(self._backoff.delay(attempt, jitter=self._jitter()))
            attempt += 1

    async def _serve(
        self,
        connection: BrokerConnection,
        target: Target,
        serve: Callable[[BrokerConnection], Coroutine[Any, Any, None]],
    ) -> None:
        self._log.info("broker_connected", broker=target.address, session_present=connection.session_present)
        serving = asyncio.create_task(serve(connection), name="serve-connection")
        try:
            connection.publish(self._status_topic, b"online", retain=True)
            ends: set[asyncio.Future[Any]] = {serving, connection.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            reason = connection.closed.result() if connection.closed.done() else "gave up"
            self._log.warning("broker_lost", broker=target.address, reason=reason)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            if not connection.closed.done():
                connection.publish(self._status_topic, b"offline", retain=True)
            await connection.close()

    async def _connect(self, target: Target) -> BrokerConnection:
        parts = urlsplit(target.url)
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if self._mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._mqtt5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if parts.scheme in {"ws", "wss"} else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,
        )
        # On 3.1.1 the outbox alone keeps the window; an MQTT 5 broker cuts off who exceeds its receive maximum.
        client.max_inflight_messages_set(RECEIVE_MAXIMUM if self._mqtt5 else 0)
        client.username_pw_set(target.username, target.password)
        client.will_set(self._status_topic, b"offline", qos=1, retain=True)
        if parts.scheme in {"mqtts", "wss"}:
            client.tls_set_context(ssl.create_default_context(cafile=target.ca_file))
        if parts.scheme in {"ws", "wss"}:
            client.ws_set_options(path=parts.path or "/mqtt")
        connection = BrokerConnection(client, on_message=self._on_message)
        try:
            await self._handshake(client, connection, parts.hostname or "", parts.port or _PORTS[parts.scheme])
        except BaseException:
            await _abandon(client)
            raise
        return connection

    def _dial(self, client: paho.Client, host: str, port: int) -> None:
        if not self._mqtt5:
            client.connect(host, port, self._keepalive_s)
            return
        properties = _properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_EXPIRY_S)
        client.connect(host, port, self._keepalive_s, clean_start=False, properties=properties)

    async def _handshake(self, client: paho.Client, connection: BrokerConnection, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[ReasonCode, bool]] = loop.create_future()

        def settle(reason: ReasonCode, session_present: bool) -> None:  # noqa: FBT001 - MQTT's own flag
            if not answer.done():
                answer.set_result((reason, session_present))

        def connected(_c: Any, _u: Any, flags: paho.ConnectFlags, reason: ReasonCode, _p: Any) -> None:
            loop.call_soon_threadsafe(settle, reason, flags.session_present)

        client.on_connect = connected
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            await asyncio.to_thread(self._dial, client, host, port)
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


def _properties(packet_type: int, **values: Any) -> Properties:
    """MQTT 5 properties by the names that paho gives them."""
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
