"""Which name is to be looked at when: about one entry for each, however often its time changes. Pure.

Whoever asks looks for himself whether it is really time, and sets the next time if it is not.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadlines:
    """Names with the earliest time (epoch seconds) at which something may be due for them."""

    def __init__(self) -> None:
        self.sooner: Callable[[], None] = lambda: None
        """Called when something is due before all that was due so far."""
        self._heap: list[tuple[float, str]] = []
        self._at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._at)

    @property
    def next_at(self) -> float | None:
        """When something may be due next; None when nothing will be."""
        return self._heap[0][0] if self._heap else None

    def set(self, name: str, at: float) -> None:
        """Have a name be due at a time. One that is due earlier anyway stays as it is."""
        known = self._at.get(name)
        if known is None or at < known:
            self._at[name] = at
            heap = self._heap
            first = not heap or at < heap[0][0]
            heapq.heappush(heap, (at, name))
            if first:
                self.sooner()

    def due(self, now: float) -> list[str]:
        """The names whose time has come, each once; they are forgotten with this."""
        names = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._at.get(name) == at:
                del self._at[name]
                names.append(name)
        return names
