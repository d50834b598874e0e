"""What goes out to one client: its queue as far as it may, its answers, and how much may lie unread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.delivery import Delivery
    from broker.entries import Entry
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import Link
    from broker.turns import Turns
    from broker.wire.codec import Codec
    from broker.wire.message import Message

HIGH_WATER = 65_536
"""Bytes unsent at which asyncio's transports ask a writer to pause."""

_TURN = 32  # packets that are sent until others get a turn
_LINGER_S = 1.0  # in which a client must take the word that its connection ends


class Client(Protocol):
    """Whose sending half it is."""

    def evict(self, reason: str) -> None:
        """End the connection: the client does not read. Called once."""

    def pass_over(self, entry: Entry, reason: str) -> None:
        """A message is not sent though it is its turn."""


class Outgoing:
    """The sending half of a connection, until `close`. `clock` gives epoch seconds."""

    __slots__ = (
        "_client", "_clock", "_closed", "_codec", "_delivery", "_draining", "_limits", "_link", "_statistics",
        "_turn_asked", "_turns",
    )  # fmt: skip

    def __init__(
        self,
        *,
        link: Link,
        delivery: Delivery,
        codec: Codec,
        limits: BrokerLimits,
        statistics: Statistics,
        turns: Turns,
        client: Client,
        clock: Callable[[], float],
    ) -> None:
        self._link = link
        self._delivery = delivery
        self._codec = codec
        self._limits = limits
        self._statistics = statistics
        self._turns = turns
        self._client: Client | None = client
        self._clock = clock
        self._draining: asyncio.Task[None] | None = None
        self._turn_asked = False
        self._closed = False

    def resume(self, window: int) -> None:
        """Send again what was in flight on the last connection [MQTT-4.4.0-1], then what waits.

        At most `window` messages are sent and not acknowledged [MQTT-3.3.4-9].
        """
        self._delivery.resume(window)
        self.pump()

    def pump(self) -> None:
        """Send what waits, as far as the window, the network and this turn take it."""
        if not self._turn_asked:
            self._pump()

    def acknowledged(self) -> None:
        """The window has room for one more: send what waits, which mostly is nothing."""
        if not self._delivery.idle:
            self.pump()

    def pass_on(self, message: Message, *, qos: int, state: bool, retain: bool, ids: tuple[int, ...]) -> bool:
        """Send a message that has just come, past the queue. False where it has to wait in there.

        It is so with who reads slowly as well. What has expired is told of in its turn.
        """
        if self._draining is not None or self._turn_asked or self._closed:
            return False
        now = self._clock() if message.expires_at else 0.0
        if now and message.expires_at <= now:
            return False
        entry = self._delivery.at_once(message, qos=qos, state=state, retain=retain, ids=ids)
        if entry is None:
            return False
        self._publish(entry, now)
        if self._link.unsent > HIGH_WATER:
            self._pump()
        return True

    def send(self, data: bytes) -> None:
        """Write bytes; a client that lets its answers pile up unread is cut off."""
        if self._closed:
            return
        self._link.write(data)
        if self._link.unsent > HIGH_WATER + self._limits.packet + self._limits.write_buffer:
            self._give_up()

    def close(self, last_words: bytes = b"") -> None:
        """End the connection, with what is unsent.

        Last words are sent to who has read all but a little, and he has a moment to take them: nobody holds anything
        by not reading.
        """
        self._closed = True
        self._client = None
        if self._draining is not None:
            self._draining.cancel()
        if last_words and self._link.unsent <= HIGH_WATER:
            self._link.write(last_words)
            self._link.finish()
            asyncio.get_running_loop().call_later(_LINGER_S, self._link.abort)
        else:
            self._link.abort()

    def _pump(self) -> int:
        sent, now = 0, self._clock()
        while not self._closed and self._link.unsent <= HIGH_WATER:
            entry = self._delivery.take() if sent < _TURN else None
            if entry is not None:
                self._publish(entry, now)
                sent += 1
                continue
            if sent == _TURN or self._delivery.looking:
                self._turn_asked = True
                self._turns.ask(self._pump_on, known=True)
            return sent
        if self._draining is None and not self._closed:
            self._draining = asyncio.get_running_loop().create_task(self._drain(), name="drain")
        return sent

    def _pump_on(self) -> int:
        self._turn_asked = False
        return 1 + self._pump()

    def _publish(self, entry: Entry, now: float) -> None:
        """Send a message, unless it is worth nothing any more [MQTT-3.3.2-5] or too large [MQTT-3.1.2-24]."""
        if 0 < entry.message.expires_at <= now:
            self._pass_over(entry, "message_expired")
            return
        data = self._codec.encode_publish(entry, now=now)
        if not data:
            self._pass_over(entry, "message_too_large")
            return
        entry.sent = True
        self._statistics.sent += 1
        self.send(data)

    def _pass_over(self, entry: Entry, reason: str) -> None:
        if self._client is not None:
            self._client.pass_over(entry, reason)

    async def _drain(self) -> None:
        """Wait until the client has read; one whose bytes the system took while the loop stood still has."""
        try:
            async with asyncio.timeout(self._limits.stall_timeout):
                await self._link.drain()
        except TimeoutError:
            if self._link.stuck:
                self._give_up()
        finally:
            self._draining = None
        self.pump()

    def _give_up(self) -> None:
        if self._client is not None:
            self._client.evict("slow_reader")
