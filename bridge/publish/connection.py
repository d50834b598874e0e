"""One connection to the broker, over paho-mqtt: publish, subscribe, and hear what comes.

The loop drives paho (`driven.py`). What it reports is taken up behind what it does, all that came in a turn at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from bridge.errors import LinkDownError, PublishRefusedError, RefusedError
from bridge.publish import packets
from bridge.publish.granted import Granted
from bridge.publish.properties import of_publish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from typing import TypeAlias

    import paho.mqtt.client as paho
    from paho.mqtt.properties import Properties

    from bridge.publish.driven import DrivenClient
    from bridge.publish.packets import Acknowledgement

    Landed: TypeAlias = Callable[[Exception | None], None]

ACKNOWLEDGE_DEADLINE_S = 30.0
UNACKNOWLEDGED_AT_ONCE = 1000
UNSPECIFIED = 0x80
"""What paho calls the end of a connection without a reason (MQTT 5 §2.4)."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message from the broker; the last two only on MQTT 5, and only when the sender set them."""

    topic: str
    payload: bytes
    response_topic: str = ""
    correlation: bytes | None = None


class _Outgoing(NamedTuple):
    """A publish that waits for its turn."""

    landed: Landed
    topic: str
    payload: bytes
    retain: bool
    properties: bytes


class BrokerConnection:
    """One MQTT connection, made before paho connects. All methods are for the event loop's thread.

    It listens from the first packet on: a broker that still has our session delivers what waited in
    it right behind CONNACK, and what nobody takes and acknowledges would block its window for good.

    `on_message` gets each message on the loop, except replayed retained ones: those go to whoever
    asked for them by `retained`, and to nobody else. `granted` is set once the broker has let us in.
    """

    def __init__(
        self,
        client: DrivenClient,
        *,
        on_message: Callable[[Incoming], Awaitable[None]],
    ) -> None:
        self.granted = Granted()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client = client
        self._on_message = on_message
        self._on_retained: tuple[Callable[[str, bytes], None], ...] = ()
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._flying: dict[int, Landed] = {}
        self._queued: deque[_Outgoing] = deque()
        self._reports: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()
        client.on_acknowledged = self._published
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._report(self._subscribed, mid, codes)
        client.on_unsubscribe = lambda _c, _u, mid, *_: self._report(self._acknowledged, mid)
        client.on_disconnect = lambda _c, _u, flags, reason, said: self._report(
            self._lost, why(reason, said, told=flags.is_disconnect_packet_from_server)
        )
        client.on_message = self._received

    def publish(
        self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None = None, correlation: bytes | None = None
    ) -> asyncio.Future[None]:
        """Send a QoS 1 publish; the future is done at PUBACK, or fails with LinkDownError or PublishRefusedError.

        No more are sent at once than the broker takes [MQTT-3.3.4-9], and none that is larger [MQTT-3.2.2-15].
        `expiry_s` is after how many seconds the broker forgets it (MQTT 5 §3.3.2.3.3); 3.1.1 does not know that.
        `correlation` goes along as correlation data (§3.3.2.3.6) and is for MQTT 5 only.
        """
        future: asyncio.Future[None] = self._loop.create_future()

        def landed(failure: Exception | None) -> None:
            if future.done():
                return
            if failure is None:
                future.set_result(None)
            else:
                _fail(future, failure)

        properties = of_publish(expiry_s, correlation) if self.granted.mqtt5 else b""
        if failure := self._offer(_Outgoing(landed, topic, payload, retain, properties)):
            _fail(future, failure)
        return future

    def post(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None, landed: Landed) -> None:
        """The same without a future: once this has returned, `landed` is told None at PUBACK, or the error."""
        properties = of_publish(expiry_s, None) if self.granted.mqtt5 else b""
        if failure := self._offer(_Outgoing(landed, topic, payload, retain, properties)):
            self._loop.call_soon(landed, failure)

    def _offer(self, outgoing: _Outgoing) -> Exception | None:
        """Send, or have it wait for its turn; what is wrong when it cannot be sent at all."""
        if self.closed.done():
            return LinkDownError("not connected")
        if self._queued or len(self._flying) >= self.granted.receive_maximum:
            self._queued.append(outgoing)
            return None
        return self._send(outgoing)

    async def subscribe(self, filters: Sequence[str], *, qos: int) -> None:
        """Subscribe and wait for SUBACK; raises LinkDownError, RefusedError or TimeoutError."""
        code, mid = self._client.subscribe([(topic_filter, qos) for topic_filter in filters])
        async with asyncio.timeout(ACKNOWLEDGE_DEADLINE_S):  # wait_for of Python 3.11 can swallow a cancellation
            await self._wait_for(code, mid or 0)

    async def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe and wait for UNSUBACK; raises LinkDownError."""
        code, mid = self._client.unsubscribe(list(filters))
        async with asyncio.timeout(ACKNOWLEDGE_DEADLINE_S):  # wait_for of Python 3.11 can swallow a cancellation
            await self._wait_for(code, mid or 0)

    @contextmanager
    def retained(self, callback: Callable[[str, bytes], None]) -> Iterator[None]:
        """Within the block `callback` gets topic and payload of each replayed retained message.

        A large replay goes by some packets at a time, so that it does not keep the loop.
        """
        self._on_retained = (*self._on_retained, callback)
        try:
            yield
        finally:
            self._on_retained = tuple(each for each in self._on_retained if each is not callback)

    async def close(self) -> None:
        """Say goodbye; whatever still waits fails with LinkDownError."""
        hang_up(self._client)
        self._lost("closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the window -------------------------------------------------------------------------------

    def _send(self, outgoing: _Outgoing) -> Exception | None:
        landed, topic, payload, retain, properties = outgoing
        packet_id = self._client.next_id()
        while packet_id in self._flying:
            packet_id = self._client.next_id()
        packet = packets.publish(topic, payload, packet_id=packet_id, retain=retain, properties=properties)
        if excess := self.granted.excess(len(packet)):
            return PublishRefusedError(excess)
        if not self._client.post(packet):
            return LinkDownError("not connected")
        self._flying[packet_id] = landed
        return None

    def _published(self, acknowledged: Sequence[Acknowledgement]) -> None:
        """PUBACKs have come; one that says no is no delivery [MQTT-3.4.2-1].

        Then what waits is sent, as far as the broker takes more before it has acknowledged some.
        """
        for packet_id, reason in acknowledged:
            landed = self._flying.pop(packet_id, None)
            if landed is not None:
                self._tell(landed, None if reason < packets.FAILURE else PublishRefusedError(_in_words(reason)))
        while self._queued and len(self._flying) < self.granted.receive_maximum:
            outgoing = self._queued.popleft()
            if failure := self._send(outgoing):
                self._tell(outgoing.landed, failure)

    def _tell(self, landed: Landed, failure: Exception | None) -> None:
        """A defect in one that is told is the loop's to report, and no harm to the others."""
        try:
            landed(failure)
        except Exception as error:  # noqa: BLE001 - as of a callback
            self._loop.call_exception_handler({"message": "in the callback of a publish", "exception": error})

    # --- what paho reports ------------------------------------------------------------------------

    def _wait_for(self, code: MQTTErrorCode, mid: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self.closed.done():
            _fail(future, LinkDownError("not connected"))
        else:
            self._waiting[mid] = future
        return future

    def _report(self, what: Callable[..., None], *arguments: Any) -> None:
        """Queue a report: paho is in the middle of something, and we may have it do more."""
        self._reports.append((what, arguments))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._take_reports)

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
        posted = [*self._flying.values(), *(outgoing.landed for outgoing in self._queued)]
        self._flying = {}
        self._queued.clear()
        for future in waiting.values():
            if not future.done():
                _fail(future, LinkDownError(reason))
        for landed in posted:
            self._tell(landed, LinkDownError(reason))

    def _received(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            for callback in self._on_retained:
                callback(message.topic, bytes(message.payload))
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


def hang_up(client: paho.Client) -> None:
    """Say goodbye, as far as the socket takes it at once, and close it."""
    client.disconnect()
    client.loop_write()


def why(reason: ReasonCode, said: Properties | None, *, told: bool) -> str:
    """Why a connection ended. `told`: the broker said so, maybe with words beside (MQTT 5 §3.14.2.2.3)."""
    if not told:
        return "the connection was lost" if reason.value == UNSPECIFIED else str(reason)
    words = getattr(said, "ReasonString", "")
    return f"{reason}: {words}" if words else str(reason)


def _in_words(reason: int) -> str:
    """What a PUBACK says with a reason."""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=reason))
    except (KeyError, ValueError, AssertionError):  # as versions of paho have it
        return f"reason {reason:#04x}"


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    """Have whoever awaits it see the error; nobody else needs to be told."""
    future.set_exception(error)
    future.exception()
