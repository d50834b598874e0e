"""How late the event loop comes: what keeps it from its work keeps senders, devices and monitors waiting."""

from __future__ import annotations

import asyncio
from collections import deque

LOOK_S = 5.0
REMEMBERED = 12
"""Looks: what was late shows for a minute, so that whoever asks every half minute sees it."""


class LoopLag:
    """Looks every few seconds. The broker does the same for its own loop (broker/vitals.py)."""

    def __init__(self) -> None:
        self._late_s: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def worst_s(self) -> float:
        """How late it came at worst of late."""
        return max(self._late_s, default=0.0)

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self._late_s.append(round(max(0.0, loop.time() - due_s), 6))
