"""One connection of one logged-in client: packets in, packets out, until it ends.

In place of amqtt's handler: packets are handled in order, one after the other; silence ends the
connection after 1.5 keepalives; nothing in flight is ever given up; what the client does not read is
bounded. What amqtt's keeps for each connection (two queues, four tables of waiters, a lock) is not needed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import structlog
from amqtt.mqtt.packet import DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBSCRIBE, UNSUBSCRIBE
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.unsuback import UnsubackPacket

from broker import codec
from broker.acl import Role
from broker.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.codec import Connect, Frame, Packets
    from broker.router import Router
    from broker.session import DeviceSession
    from broker.sessions import SessionStore
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import Writer

_HIGH_WATER = 65_536  # bytes unsent at which asyncio's transports ask a writer to pause
_TURN = 64  # packets of one client that are handled before others get a turn
_ACKS_TOGETHER = 16  # PUBACKs in one write; more would make the publisher idle until they come
_ACKS_WAITING = 4096  # PUBLISHes of one client that may wait for the disk

_log = structlog.get_logger()  # one for all: a logger of its own would cost each connection half a kilobyte


class DeviceHandler:
    """The protocol from CONNACK to the end. `start` is called once; `evict`, `pump`, `release` at any time.

    `address` is the client's; `gone` is called when the connection has ended, whatever ended it.
    """

    __slots__ = (  # in one piece of memory: of ten thousand connections none is in the processor's cache
        "_acks", "_draining", "_due", "_ended", "_gone", "_heard", "_limits",
        "_loop", "_out", "_paced", "_packets", "_patience", "_room", "_router",
        "_statistics", "_store", "_task", "_timer", "_will", "address", "owner",
    )  # fmt: skip

    def __init__(
        self,
        *,
        session: DeviceSession,
        connect: Connect,
        packets: Packets,
        writer: Writer,
        router: Router,
        store: SessionStore,
        limits: BrokerLimits,
        statistics: Statistics,
        address: str,
        gone: Callable[[DeviceHandler], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None  # the loop itself holds its tasks only weakly
        self.owner = session
        self.address = address
        self._gone = gone
        self._packets = packets
        self._out = writer
        self._will = connect.will
        self._patience = connect.keep_alive * 1.5
        self._router = router
        self._store = store
        self._limits = limits
        self._statistics = statistics
        self._acks: deque[tuple[int, int]] | None = None  # made when needed: most devices never publish
        self._room: asyncio.Future[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._due = 0.0
        self._paced = False
        self._ended = False

    def start(self) -> None:
        """Serve the client from a task of its own, which tells `gone` when the connection has ended."""
        session = self.owner
        session.handler = self
        self._heard = self._loop.time()
        if self._patience:
            self._timer = self._loop.call_later(self._patience, self._check_silence)
        for entry in session.delivery.resume():
            self._publish(entry)
        self.pump()
        self._task = self._loop.create_task(self._read())

    def evict(self, reason: str | None) -> None:
        """End the connection and free the session; the will is sent unless the client said goodbye.

        `reason` is logged; None when the connection ended by itself.
        """
        if self._ended:
            return
        self._ended = True
        if reason is not None:
            self._statistics.drop(reason)
            _log.info("connection_ended", username=self.owner.who.username, reason=reason)
        for waiting in (self._timer, self._draining):
            if waiting is not None:
                waiting.cancel()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if self.owner.handler is self:
            self.owner.handler = None
        self._out.abort()
        if self._will is not None:
            will, self._will = self._will, None
            self._router.send_will(self.owner, will)

    def discard_will(self) -> None:
        """Send no will when the connection ends [MQTT-3.14.4-3]."""
        self._will = None

    def pump(self) -> None:
        """Send what waits, as far as the window and the network take it."""
        while self._out.unsent <= _HIGH_WATER:
            entry = self.owner.delivery.take()
            if entry is None or self._ended:
                return
            self._publish(entry)
        if self._draining is None and not self._ended:
            self._draining = self._loop.create_task(self._drain())

    def release(self) -> None:
        """Send the PUBACKs of all messages that are safe by now, in the order in which they came."""
        acks, sent = self._acks, bytearray()
        while acks and acks[0][0] <= self._store.committed:
            sent += codec.encode_puback(acks.popleft()[1])
        if sent:
            self.send(bytes(sent))
        if acks and not self._ended:
            self._store.call_on_commit(self.release)
        elif self._room is not None and not self._room.done():
            self._room.set_result(None)

    def send(self, data: bytes) -> None:
        """Write bytes; a client that lets its answers pile up unread is cut off."""
        if self._ended:
            return
        self._out.write(data)
        if self._out.unsent > _HIGH_WATER + self._limits.packet + self._limits.write_buffer:
            self.evict("slow_reader")

    def _check_silence(self) -> None:
        """Nothing came for a while: end the connection [MQTT-3.1.2-24], or look again when it would be time."""
        left = self._heard + self._patience - self._loop.time()
        if left <= 0:
            self.evict("keepalive")
        else:
            self._timer = self._loop.call_later(left, self._check_silence)

    async def _read(self) -> None:
        """Handle packets until the end. Idle connections wait here, so it awaits no deeper than it must."""
        packets, handled = self._packets, 0
        try:
            while not self._ended:
                frame = packets.next()
                if frame is None:
                    self.release()  # one write for all that came together
                    chunk = await packets.reader.chunk()
                    if not chunk:
                        return
                    packets.feed(chunk)
                    self._heard = self._loop.time()
                    continue
                if frame.kind == DISCONNECT:
                    self.release()
                    self.discard_will()
                    return
                await self._handle(frame)
                handled += 1
                if handled % _TURN == 0:
                    self.release()
                    await asyncio.sleep(0)
        except ProtocolError as error:
            self._statistics.drop("protocol_error")
            _log.warning("protocol_error", username=self.owner.who.username, error=str(error))
        finally:
            self.evict(None)
            self._gone(self)

    async def _handle(self, frame: Frame) -> None:
        session = self.owner
        if frame.kind == PUBLISH:
            await self._receive(frame)
        elif frame.kind == PUBACK:
            self._router.acknowledge(session, codec.packet_id(frame))
            self.pump()
        elif frame.kind == PINGREQ:
            self.send(codec.PINGRESP)
        elif frame.kind == SUBSCRIBE:
            packet_id, wanted = codec.subscribe(frame)
            codes = self._router.subscribe(session, wanted)
            await self._settled()
            self.send(SubackPacket.build(packet_id, codes).to_bytes())
            self.pump()
        elif frame.kind == UNSUBSCRIBE:
            packet_id, filters = codec.unsubscribe(frame)
            self._router.unsubscribe(session, filters)
            await self._settled()
            self.send(UnsubackPacket.build(packet_id).to_bytes())
        else:
            raise ProtocolError("MQTT-3.1.0-2", f"packet type {frame.kind} has no place here")

    async def _settled(self) -> None:
        """Wait until the subscriptions are on disk: a device that has its SUBACK does not ask again."""
        ticket, committed = self._store.ticket, asyncio.Event()
        while self.owner.durable and self._store.committed < ticket and not self._ended:
            committed.clear()
            self._store.call_on_commit(committed.set)
            await committed.wait()

    async def _receive(self, frame: Frame) -> None:
        publish = codec.publish(frame)
        if publish.message.qos == 2:
            raise ProtocolError("docs/decisions/0006", "QoS 2 is not served")
        ticket = self._router.receive(self.owner, publish.message, retain=publish.retain)
        if publish.message.qos:
            if self._acks is None:
                self._acks = deque()
            self._acks.append((ticket, publish.packet_id))
            if len(self._acks) >= _ACKS_TOGETHER:
                self.release()
            if len(self._acks) >= _ACKS_WAITING and not self._ended:
                self._room = self._loop.create_future()
                await self._room
        if self.owner.who.role is Role.DEVICE:
            await self._pace()

    async def _pace(self) -> None:
        """Make a device wait that publishes faster than it may; what it sends meanwhile waits in its socket."""
        each, now = 1 / self._limits.publish_rate, self._loop.time()
        self._due = max(self._due, now - 1) + each  # a second's worth may come at once
        if self._due > now:
            if not self._paced:
                self._paced = True
                _log.warning("publish_slowed", username=self.owner.who.username, reason="publish_rate")
            self.release()
            await asyncio.sleep(self._due - now)
            self._heard = self._loop.time()

    def _publish(self, entry: Any) -> None:
        data = codec.encode_publish(entry)
        entry.sent = True
        self._statistics.sent += 1
        self.send(data)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._limits.stall_timeout):
                await self._out.drain()
        except TimeoutError:
            self.evict("slow_reader")
        finally:
            self._draining = None
        self.pump()
