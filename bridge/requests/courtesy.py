"""Bodies that are read wait for mail that comes in."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

BURST = 8
"""So many chunks go out together, as each alone would wake three processes."""
EACH_S = 0.05
"""So long they wait for each mail that came meanwhile: little where one comes now and then."""
PAUSE_S = 0.2
"""So long at most: of chunks of 8 KiB, 0.3 MB in a second are left to all who read while many come."""
OWED_S = 0.4
"""So much waiting is put off at most, as many mails are accepted at once, with one commit."""


class Courtesy:
    """Lets mail go first, at which somebody waits for a 250, and somebody else for the bell.

    `accepted` says how many mails were, so far. A large download would take whatever the processor gives: it is cut
    here, and goes through broker and web server. While no mail comes, nothing waits.
    """

    def __init__(
        self, accepted: Callable[[], int], *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._accepted = accepted
        self._sleep = sleep
        self._before = 0
        self._owed_s = 0.0
        self._chunks = 0
        self._turn = asyncio.Lock()
        self._reading = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A body is read until the block ends; what came while none was is not waited for."""
        if not self._reading:
            self._before = self._accepted()
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

    async def yield_to_mail(self) -> None:
        """To be called for each chunk: waits after some if mail came meanwhile; all who ask wait in line."""
        async with self._turn:
            self._chunks += 1
            if self._chunks % BURST:
                return
            accepted = self._accepted()
            self._owed_s = min(OWED_S, self._owed_s + EACH_S * (accepted - self._before))
            self._before = accepted
            pause_s = min(PAUSE_S, self._owed_s)
            if pause_s:
                self._owed_s -= pause_s
                await self._sleep(pause_s)
