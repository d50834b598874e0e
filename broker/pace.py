"""How fast one device may publish: so many a second, and a second's worth at once. Pure."""

from __future__ import annotations


class Pace:
    """Counts what came, and says how long to wait after it. `told` is for who wants to say so once."""

    __slots__ = ("_due_at", "_each_s", "told")

    def __init__(self, a_second: float) -> None:
        self._each_s = 1 / a_second
        self._due_at = 0.0
        self.told = False

    def wait_s(self, now: float) -> float:
        """One more came; the time until the next may be looked at, 0 or less when that is at once."""
        self._due_at = max(self._due_at, now - 1) + self._each_s
        return self._due_at - now
