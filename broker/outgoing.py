"""What goes out to one client: its queue as far as it may, its answers, and how much may lie unread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from broker import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.delivery import Delivery, Entry
    from broker.settings import BrokerLimits
    from broker.statistics import Statistics
    from broker.transport import Link
    from broker.turns import Turns

HIGH_WATER = 65_536
"""Bytes unsent at which asyncio's transports ask a writer to pause."""

_TURN = 64  # packets that are sent until others get a turn


class Outgoing:
    """The sending half of a connection, until `close`. `evict` is called once when the client does not read."""

    __slots__ = (
        "_closed", "_delivery", "_draining", "_evict", "_limits", "_link", "_statistics", "_turn_asked", "_turns",
    )  # fmt: skip

    def __init__(
        self,
        *,
        link: Link,
        delivery: Delivery,
        limits: BrokerLimits,
        statistics: Statistics,
        turns: Turns,
        evict: Callable[[str], None],
    ) -> None:
        self._link = link
        self._delivery = delivery
        self._limits = limits
        self._statistics = statistics
        self._turns = turns
        self._evict: Callable[[str], None] | None = evict
        self._draining: asyncio.Task[None] | None = None
        self._turn_asked = False
        self._closed = False

    def resume(self) -> None:
        """Send again what was in flight on the last connection [MQTT-4.4.0-1], then what waits."""
        for entry in self._delivery.resume():
            self._publish(entry)
        self.pump()

    def pump(self) -> None:
        """Send what waits, as far as the window, the network and this turn take it."""
        if not self._turn_asked:
            self._pump()

    def send(self, data: bytes) -> None:
        """Write bytes; a client that lets its answers pile up unread is cut off."""
        if self._closed:
            return
        self._link.write(data)
        if self._link.unsent > HIGH_WATER + self._limits.packet + self._limits.write_buffer:
            self._give_up()

    def close(self) -> None:
        """End the connection, with what is unsent."""
        self._closed = True
        self._evict = None
        if self._draining is not None:
            self._draining.cancel()
        self._link.abort()

    def _pump(self) -> int:
        sent = 0
        while not self._closed and self._link.unsent <= HIGH_WATER:
            entry = self._delivery.take() if sent < _TURN else None
            if entry is not None:
                self._publish(entry)
                sent += 1
                continue
            if sent == _TURN or self._delivery.looking:
                self._turn_asked = True
                self._turns.ask(self._pump_on)
            return sent
        if self._draining is None and not self._closed:
            self._draining = asyncio.get_running_loop().create_task(self._drain(), name="drain")
        return sent

    def _pump_on(self) -> int:
        self._turn_asked = False
        return 1 + self._pump()

    def _publish(self, entry: Entry) -> None:
        data = codec.encode_publish(entry)
        entry.sent = True
        self._statistics.sent += 1
        self.send(data)

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
        if self._evict is not None:
            self._evict("slow_reader")
