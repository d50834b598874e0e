"""Turns: work that could keep others waiting goes in small pieces, in the order of asking, few in a step of the loop.

Between two steps the loop reads what came and sends what waits, so a client that asks for little never
queues behind those that ask for much; among these each gets its turn before anybody gets a second one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 32
"""Units of work in one step; a unit is about what a small packet costs, some 5 to 10 µs."""


class Turns:
    """Who waits for a turn. `call_soon` runs a callback in the loop's next step."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._waiting: deque[Callable[[], int]] = deque()
        self._running = False

    def ask(self, piece: Callable[[], int]) -> None:
        """Have a piece of work done when its turn comes; it returns how many units it took."""
        self._waiting.append(piece)
        if not self._running:
            self._running = True
            self._call_soon(self._step)

    async def wait(self, cost: int) -> None:
        """Wait for a turn in which work of so many units is to be done."""
        come = asyncio.get_running_loop().create_future()

        def go_on() -> int:
            if not come.done():
                come.set_result(None)
            return cost

        self.ask(go_on)
        await come

    def _step(self) -> None:
        spent = 0
        try:
            while self._waiting and spent < STEP:
                spent += self._waiting.popleft()()
        finally:  # a piece that fails is one connection's defect, and must not hold up the others
            self._running = bool(self._waiting)
            if self._running:
                self._call_soon(self._step)
