"""One connection of one logged-in client: packets in, packets out, until it ends.

In place of amqtt's handler: packets are handled in order, one after the other; silence ends the
connection after 1.5 keepalives; nothing in flight is ever given up; what the client does not read is
bounded; who asks for much waits for a turn. What amqtt's keeps for each connection (two queues, four
tables of waiters, a lock) is not needed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from amqtt.mqtt.packet import DISCONNECT, PINGREQ, PUBACK, PUBLISH, SUBSCRIBE, UNSUBSCRIBE

from broker import codec
from broker.acks import Acks
from broker.acl import Role
from broker.errors import ProtocolError
from broker.outgoing import Outgoing
from broker.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.codec import Connect
    from broker.router import Router
    from broker.session import DeviceSession
    from broker.sessions import SessionStore
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import Link
    from broker.turns import Turns
    from broker.wire.frames import Frame, Packets

_TURN = 64  # packets that are handled until others get a turn
_LOOK_AGAIN_S = 0.5  # at a client that is not silent, since what it sent waits

_log = structlog.get_logger()  # one for all: a logger of its own would cost each connection half a kilobyte


class DeviceHandler:
    """The protocol from CONNACK to the end. `start` is called once; `evict` and `pump` at any time.

    `address` is the client's; `gone` is called when the connection has ended, whatever ended it.
    """

    __slots__ = (  # in one piece of memory: of ten thousand connections none is in the processor's cache
        "_acks", "_ended", "_gone", "_heard_at", "_limits", "_link", "_loop", "_out",
        "_pace", "_packets", "_patience_s", "_router", "_statistics", "_store",
        "_task", "_timer", "_turns", "_will", "address", "owner",
    )  # fmt: skip

    def __init__(
        self,
        *,
        session: DeviceSession,
        connect: Connect,
        packets: Packets,
        link: Link,
        router: Router,
        store: SessionStore,
        limits: BrokerLimits,
        statistics: Statistics,
        turns: Turns,
        address: str,
        gone: Callable[[DeviceHandler], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None  # the loop itself holds its tasks only weakly
        self.owner = session
        self.address = address
        self._gone = gone
        self._packets = packets
        self._link = link
        self._will = connect.will
        self._patience_s = connect.keep_alive * 1.5
        self._router = router
        self._store = store
        self._limits = limits
        self._statistics = statistics
        self._turns = turns
        self._out = Outgoing(
            link=link, delivery=session.delivery, limits=limits, statistics=statistics, turns=turns, evict=self.evict
        )
        self._acks: Acks | None = None  # made when needed: most devices never publish
        self._pace: Pace | None = None  # the same
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._ended = False

    def start(self) -> None:
        """Serve the client from a task of its own, which tells `gone` when the connection has ended."""
        session = self.owner
        session.handler = self
        self._heard_at = self._loop.time()
        if self._patience_s:
            self._timer = self._loop.call_later(self._patience_s, self._check_silence)
        self._out.resume()
        self._task = self._loop.create_task(self._read(), name="read-client")

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
        if self._timer is not None:
            self._timer.cancel()
        if self._acks is not None:
            self._acks.end()
        if self.owner.handler is self:
            self.owner.handler = None
        self._out.close()
        if self._will is not None:
            will, self._will = self._will, None
            self._router.send_will(self.owner, will)

    def discard_will(self) -> None:
        """Send no will when the connection ends [MQTT-3.14.4-3]."""
        self._will = None

    def pump(self) -> None:
        """Send what waits in the session's queue."""
        self._out.pump()

    def _check_silence(self) -> None:
        """Nothing came for a while: end the connection [MQTT-3.1.2-24], or look again when it would be time.

        A loop or a machine that stood still finds all timers due at once: what came meanwhile is read first.
        """
        left_s = self._heard_at + self._patience_s - self._loop.time()
        if left_s <= 0 and self._link.idle:
            self.evict("keepalive")
        else:
            self._timer = self._loop.call_later(left_s if left_s > 0 else _LOOK_AGAIN_S, self._check_silence)

    async def _read(self) -> None:
        """Handle packets until the end. Idle connections wait here, so it awaits no deeper than it must."""
        packets, link, handled = self._packets, self._link, 0
        try:
            while not self._ended:
                frame = packets.next()
                if frame is None:
                    self._release()  # one write for all that came together
                    chunk = await link.chunk()
                    if not chunk:
                        self.evict(link.fault)
                        return
                    packets.feed(chunk)
                    self._heard_at = self._loop.time()
                    continue
                if frame.kind == DISCONNECT:
                    self._release()
                    self.discard_will()
                    return
                await self._handle(frame)
                handled += 1
                if handled % _TURN == 0:
                    self._release()
                    await self._turns.wait(_TURN)
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
            self._out.pump()
        elif frame.kind == PINGREQ:
            self._out.send(codec.PINGRESP)
        elif frame.kind == SUBSCRIBE:
            await self._subscribe(frame)
        elif frame.kind == UNSUBSCRIBE:
            await self._unsubscribe(frame)
        else:
            raise ProtocolError("MQTT-3.1.0-2", f"packet type {frame.kind} has no place here")

    async def _subscribe(self, frame: Frame) -> None:
        packet_id, wanted = codec.subscribe(frame, most=self._most_filters)
        await self._turns.wait(len(wanted) + _TURN)
        if self._ended:
            return
        codes = self._router.subscribe(self.owner, wanted)
        await self._on_disk()
        self._out.send(codec.encode_suback(packet_id, codes))
        self._out.pump()

    async def _unsubscribe(self, frame: Frame) -> None:
        packet_id, filters = codec.unsubscribe(frame, most=self._most_filters)
        await self._turns.wait(len(filters))
        if self._ended:
            return
        self._router.unsubscribe(self.owner, filters)
        await self._on_disk()
        self._out.send(codec.encode_unsuback(packet_id))

    @property
    def _most_filters(self) -> int:
        return max(codec.MOST_FILTERS, self._limits.subscriptions)

    async def _on_disk(self) -> None:
        """Wait until the subscriptions are: a device that has its SUBACK does not ask again."""
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
                self._acks = Acks(store=self._store, send=self._out.send)
            await self._acks.owe(ticket, publish.packet_id)
        if self.owner.who.role is Role.DEVICE:
            await self._wait_for_pace()

    def _release(self) -> None:
        if self._acks is not None:
            self._acks.release()

    async def _wait_for_pace(self) -> None:
        """Make a device wait that publishes faster than it may; what it sends meanwhile waits in its socket."""
        if self._pace is None:
            self._pace = Pace(self._limits.publish_rate)
        wait_s = self._pace.wait_s(self._loop.time())
        if wait_s > 0:
            if not self._pace.told:
                self._pace.told = True
                _log.warning("publish_slowed", username=self.owner.who.username, reason="publish_rate")
            self._release()
            await asyncio.sleep(wait_s)
            self._heard_at = self._loop.time()
