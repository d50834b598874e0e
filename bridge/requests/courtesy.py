"""Bodies that are read wait for mail that comes in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_S = 0.01
"""So long each chunk waits while mail comes in: of chunks of 8 KiB, 0.8 MB in a second are left to all who read."""


class Courtesy:
    """Lets mail go first, at which somebody waits for a 250, and somebody else for the bell.

    `accepted` says how many mails were, so far. A large download would take whatever the processor gives: it is cut
    here, and goes through broker and web server. Where no mail came since the chunk before, nothing waits.
    """

    def __init__(
        self, accepted: Callable[[], int], *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._accepted = accepted
        self._sleep = sleep
        self._before = 0
        self._turn = asyncio.Lock()

    async def yield_to_mail(self) -> None:
        """Wait for a moment if mail was accepted since the last time that anybody asked; all who ask wait in line."""
        async with self._turn:
            accepted = self._accepted()
            if accepted != self._before:
                self._before = accepted
                await self._sleep(PAUSE_S)
