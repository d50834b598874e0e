"""Bodies that are read wait for mail that comes in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BURST = 8
"""So many chunks go out together, as each alone would wake three processes."""
PAUSE_S = 0.1
"""So long they wait then while mail comes in: of chunks of 8 KiB, 0.6 MB in a second are left to all who read."""
RECENT_S = 0.25
"""Mail that came so long ago is still coming in: of many at once, all are accepted with one commit."""


class Courtesy:
    """Lets mail go first, at which somebody waits for a 250, and somebody else for the bell.

    `accepted` says how many mails were, so far; `monotonic` gives seconds. A large download would take whatever the
    processor gives: it is cut here, and goes through broker and web server. While no mail comes, nothing waits.
    """

    def __init__(
        self,
        accepted: Callable[[], int],
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._accepted = accepted
        self._monotonic = monotonic
        self._sleep = sleep
        self._before = accepted()
        self._came_at = monotonic() - RECENT_S
        self._chunks = 0
        self._turn = asyncio.Lock()

    async def yield_to_mail(self) -> None:
        """To be called for each chunk: waits after some if mail came in lately; all who ask wait in line."""
        async with self._turn:
            self._chunks += 1
            if self._chunks % BURST:
                return
            accepted, now = self._accepted(), self._monotonic()
            if accepted != self._before:
                self._before, self._came_at = accepted, now
            if now - self._came_at < RECENT_S:
                await self._sleep(PAUSE_S)
