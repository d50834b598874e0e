"""Turns: work that could keep others waiting goes in small pieces, in the order of asking, few in a step of the loop.

Between two steps the loop reads what came and sends what waits, so a client that asks for little never
queues behind those that ask for much; among these each gets its turn before anybody gets a second one. Those who
have logged in do not queue behind strangers, however many there are, and leave them some of each step.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 32
"""Units of work in one step; a unit is about what a small packet costs, some 5 to 10 µs."""
_OF_CLIENTS = STEP * 3 // 4  # before strangers have what is left


class Turns:
    """Who waits for a turn. `call_soon` runs a callback in the loop's next step."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._clients: deque[Callable[[], int]] = deque()
        self._strangers: deque[Callable[[], int]] = deque()
        self._running = False

    def ask(self, piece: Callable[[], int], *, known: bool = False) -> None:
        """Have a piece of work done when its turn comes; it returns how many units it took.

        It is for somebody who is `known`, having logged in, or for a stranger.
        """
        (self._clients if known else self._strangers).append(piece)
        if not self._running:
            self._running = True
            self._call_soon(self._step)

    async def wait(self, cost: int, *, known: bool = False) -> None:
        """Wait for a turn in which work of so many units is to be done."""
        come = asyncio.get_running_loop().create_future()

        def go_on() -> int:
            if not come.done():
                come.set_result(None)
            return cost

        self.ask(go_on, known=known)
        await come

    def _step(self) -> None:
        spent = 0
        try:
            while self._clients and spent < (_OF_CLIENTS if self._strangers else STEP):
                spent += self._clients.popleft()()
            begun = spent
            while self._strangers and (spent < STEP or spent == begun):
                spent += self._strangers.popleft()()
        finally:  # a piece that fails is one connection's defect, and must not hold up the others
            self._running = bool(self._clients or self._strangers)
            if self._running:
                self._call_soon(self._step)
