"""One connection of one logged-in client: packets in, packets out, until it ends.

In place of amqtt's handler: packets are handled in order, one after the other; silence ends the
connection after 1.5 keepalives; nothing in flight is ever given up; what the client does not read is
bounded; who asks for much waits for a turn. What amqtt's keeps for each connection (two queues, four
tables of waiters, a lock) is not needed. It knows no version of MQTT: that is its codec's affair.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from broker import asking
from broker.acl import Role
from broker.errors import ProtocolError
from broker.outgoing import Outgoing
from broker.receiving import Receiving
from broker.wire.codec import PINGRESP, encode_pubrel
from broker.wire.kinds import DISCONNECT, PINGREQ, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBSCRIBE, UNSUBSCRIBE
from broker.wire.reasons import ENDED, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from broker.entries import Entry
    from broker.session import DeviceSession
    from broker.shared import Shared
    from broker.transport import Link
    from broker.wire.codec import Codec
    from broker.wire.frames import Frame, Packets
    from broker.wire.message import Message
    from broker.wire.packets import Answer, Connect

_TURN, _FREE_S = 64, 0.1  # packets (or half as many messages of a device) within a time, until others get a turn
_TOGETHER = 16  # packets whose consequences go out together; with more, other clients would idle meanwhile
_LOOK_AGAIN_S = 0.5  # at a client that is not silent, since what it sent waits

_log = structlog.get_logger()  # one for all: a logger of its own would cost each connection half a kilobyte


class DeviceHandler:
    """The protocol from CONNACK to the end. `start` is called once; `evict` and `pump` at any time.

    `keep_alive_s` is the silence that is agreed upon, 0 any; `address` is the client's; `gone` is called when the
    connection has ended, whatever ended it.
    """

    __slots__ = (  # in one piece of memory: of ten thousand connections none is in the processor's cache
        "_codec", "_ended", "_gone", "_heard_at", "_link", "_loop", "_out", "_packets", "_patience_s", "_receiving",
        "_shared", "_task", "_timer", "_will", "_window", "address", "owner",
    )  # fmt: skip

    def __init__(
        self,
        *,
        session: DeviceSession,
        connect: Connect,
        codec: Codec,
        packets: Packets,
        link: Link,
        shared: Shared,
        keep_alive_s: int,
        address: str,
        gone: Callable[[DeviceHandler], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None  # the loop itself holds its tasks only weakly
        self.owner = session
        self.address = address
        self._gone = gone
        self._codec = codec
        self._packets = packets
        self._link = link
        self._will = connect.will
        self._window = min(shared.limits.inflight, connect.receive_maximum)
        self._patience_s = keep_alive_s * 1.5
        self._shared = shared
        self._out = Outgoing(
            link=link,
            delivery=session.delivery,
            codec=codec,
            limits=shared.limits,
            statistics=shared.statistics,
            turns=shared.turns,
            client=self,
            clock=shared.clock,
        )
        self._receiving: Receiving | None = None  # made when needed: most devices never publish
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
        self._out.resume(self._window)
        self._task = self._loop.create_task(self._read(), name="read-client")

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What serves the client; it ends some time after `evict`, when the client has taken its last words."""
        return self._task

    def evict(self, reason: str | None) -> None:
        """End the connection and leave the session; the will is sent unless the client said goodbye.

        `reason` is logged, and told to a client that understands it; None when the connection ended by itself.
        """
        if reason is not None and not self._ended:
            self._shared.statistics.drop(reason)
            _log.info("connection_ended", username=self.owner.who.username, reason=reason)
        self._end(ENDED.get(reason or "", Reason.SUCCESS))

    def discard_will(self) -> None:
        """Send no will when the connection ends [MQTT-3.14.4-3]."""
        self._will = None

    def pump(self) -> None:
        """Send what waits in the session's queue."""
        self._out.pump()

    def pass_on(self, message: Message, *, qos: int, state: bool, retain: bool, ids: tuple[int, ...]) -> bool:
        """Send a message past the session's queue; False where it has to wait in there."""
        return self._out.pass_on(message, qos=qos, state=state, retain=retain, ids=ids)

    def pass_over(self, entry: Entry, reason: str) -> None:
        """A message is not sent though it is its turn."""
        self._shared.router.losses.pass_over(self.owner, entry, reason)

    def _end(self, code: int, text: str = "") -> None:
        if self._ended:
            return
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._receiving is not None:
            self._receiving.acks.end()
        self._out.close(self._codec.encode_disconnect(code, text) if code else b"")
        if self.owner.handler is self:
            self.owner.handler = None
            will, self._will = self._will, None
            self._shared.router.roster.leave(self.owner, will)

    def _check_silence(self) -> None:
        """Nothing came for a while: end the connection [MQTT-3.1.2-22], or look again when it would be time.

        A loop or a machine that stood still finds all timers due at once: what came meanwhile is read first.
        """
        left_s = self._heard_at + self._patience_s - self._loop.time()
        if left_s <= 0 and self._link.idle:
            self.evict("keepalive")
        else:
            self._timer = self._loop.call_later(left_s if left_s > 0 else _LOOK_AGAIN_S, self._check_silence)

    async def _read(self) -> None:
        """Handle packets until the end. Idle connections wait here, so it awaits no deeper than it must."""
        packets, link, handled, counted_at = self._packets, self._link, 0, 0.0
        message = 2 if self.owner.who.role is Role.DEVICE else 1
        try:
            while not self._ended:
                frame = packets.next()
                if frame is None:
                    self._release()
                    self._shared.writes.flush()  # all that came together is answered, and passed on, together
                    chunk = await link.chunk()
                    if not chunk:
                        self.evict(link.fault)
                        return
                    packets.feed(chunk)
                    self._heard_at = now = self._loop.time()
                    if now - counted_at > _FREE_S:
                        handled, counted_at = 0, now
                    continue
                if (more := self._handle(frame)) is not None:
                    await more
                    more = None  # or it would stay in memory until the next packet
                handled += message if frame.kind == PUBLISH else 1
                if handled % _TOGETHER == 0:
                    self._shared.writes.flush()
                if handled >= _TURN:
                    handled = 0
                    self._release()
                    await self._shared.turns.wait(_TURN, known=True)
        except ProtocolError as error:
            if not self._ended:
                self._shared.statistics.drop("protocol_error")
                _log.warning("protocol_error", username=self.owner.who.username, error=str(error))
            self._end(error.code, str(error))
        finally:
            self.evict(None)
            self._gone(self)

    def _part(self, frame: Frame) -> None:
        """The client says goodbye, or wants its will to be sent all the same."""
        goodbye = self._codec.disconnect(frame)
        roster, expiry_s = self._shared.router.roster, goodbye.session_s
        if expiry_s is not None and not roster.change_expiry(self.owner, expiry_s):
            raise ProtocolError("MQTT-3.14.2-2", "a session that ends with its connection cannot last longer")
        if goodbye.code == Reason.SUCCESS:
            self.discard_will()

    def _handle(self, frame: Frame) -> Coroutine[None, None, None] | None:
        """Handle a packet; what is still to be awaited before the next one. Mostly that is nothing."""
        kind, codec = frame.kind, self._codec
        if kind == PUBLISH:
            receiving = self._receiving or self._receiver()
            return self._wait_to_receive() if receiving.publish(codec.publish(frame)) else None
        if kind == PUBACK:
            self._shared.router.acknowledge(self.owner, codec.answer(frame).packet_id)
            self._out.acknowledged()
            return None
        return self._handle_seldom(frame)

    async def _wait_to_receive(self) -> None:
        if await self._receiver().wait():
            self._heard_at = self._loop.time()

    async def _handle_seldom(self, frame: Frame) -> None:
        kind, codec = frame.kind, self._codec
        if kind == PINGREQ:
            codec.ping(frame)
            self._release()  # who asks whether the broker is there has his answers first
            self._out.send(PINGRESP)
        elif kind == SUBSCRIBE:
            self._out.send(await asking.subscribe(frame, session=self.owner, codec=codec, shared=self._shared))
            self._out.pump()
        elif kind == UNSUBSCRIBE:
            self._out.send(await asking.unsubscribe(frame, session=self.owner, codec=codec, shared=self._shared))
        elif kind == PUBREL:
            await self._receiver().release(codec.answer(frame))
        elif kind in {PUBREC, PUBCOMP}:
            self._answer_stranger(kind, codec.answer(frame))
        elif kind == DISCONNECT:
            self._release()
            self._part(frame)
            self.evict(None)
        else:
            raise ProtocolError("MQTT-3.1.0-2", f"packet type {kind} has no place here")

    def _answer_stranger(self, kind: int, answer: Answer) -> None:
        """A PUBREC or PUBCOMP: for nothing of ours, since nothing goes out at QoS 2, but maybe for another broker's.

        The client is let finish what it has begun [MQTT-4.3.3-4]. Raises ProtocolError where QoS 1 is so answered.
        """
        if self.owner.delivery.awaits(answer.packet_id):
            raise ProtocolError("MQTT-4.3.2-5", f"packet type {kind} answers a message of QoS 1")
        if kind == PUBREC and answer.code < Reason.UNSPECIFIED:
            self._out.send(encode_pubrel(answer.packet_id))

    def _receiver(self) -> Receiving:
        if self._receiving is None:
            send = self._out.send
            self._receiving = Receiving(session=self.owner, codec=self._codec, shared=self._shared, send=send)
        return self._receiving

    def _release(self) -> None:
        if self._receiving is not None:
            self._receiving.acks.release()
