"""How long the oldest row of the outbox has waited, as far as this process has seen. Pure.

A row says nothing of when it was marked, so that to mark costs as little as can be. But numbers of rows only grow:
what the highest was at some moment tells which rows were there already.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 1000


class OldestWait:
    """Knows since when the first row waits, as exactly as it is told now and then which rows there are."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        """Moments, and the highest row that there was: each is the first moment that knew of it."""

    def age_s(self, *, first: int | None, highest: int, now_s: float) -> float:
        """The age of row `first`, None where none waits; `highest` is the highest number ever given."""
        if first is None:
            self._marks.clear()
            return 0.0
        if not self._marks or highest > self._marks[-1][1]:
            self._marks.append((now_s, highest))
        while len(self._marks) > 1 and self._marks[0][1] < first:
            self._marks.popleft()
        if len(self._marks) > REMEMBERED:  # an outage of hours: every second moment is exact enough
            self._marks = deque(mark for index, mark in enumerate(self._marks) if index % 2 == 0)
        return max(0.0, now_s - self._marks[0][0])
