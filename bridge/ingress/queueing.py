"""Where large messages queue up, so that small ones pass."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

PAUSE_S = 0.001


class LargeMessageQueue:
    """Lets one block of one large message through at a time, in the order of coming.

    While more wait there is a pause after each, in which the event loop, the processor and the disk
    belong to everybody else. A large message that is alone is not slowed down.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await asyncio.sleep(PAUSE_S if self._waiting else 0)
        finally:
            self._lock.release()
