"""What the broker refused to take, and how long each is kept back. Pure: whoever holds the clock says when."""

from __future__ import annotations

FIRST_S = 2.0
LONGEST_S = 600.0
"""Each refusal of the same topic doubles the wait, up to this."""
AT_MOST = 10_000
"""With so many topics refused the broker takes nothing, as far as anybody can tell: all of them wait."""


class Refusals:
    """The paths that were refused on one connection. `resting` are those that are not to be offered yet."""

    def __init__(self) -> None:
        self.resting: set[str] = set()
        self._waits_s: dict[str, float] = {}

    @property
    def some(self) -> bool:
        """Whether there are any."""
        return bool(self._waits_s)

    def clear(self) -> None:
        """Another connection, another chance for all of them."""
        self.resting.clear()
        self._waits_s.clear()

    def refused_for_s(self, path: str) -> float:
        """The broker said no; after how many seconds it is to be `due`."""
        wait_s = min(LONGEST_S, 2 * self._waits_s.get(path, FIRST_S / 2))
        self._waits_s[path] = wait_s
        self.resting.add(path)
        return wait_s

    def due(self, path: str) -> None:
        """Its wait is over."""
        self.resting.discard(path)

    def taken(self, path: str) -> None:
        """The broker said yes, or there is nothing to say any more."""
        self.resting.discard(path)
        self._waits_s.pop(path, None)
