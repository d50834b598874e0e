"""What is told once, and not each time."""

from __future__ import annotations

REMEMBERED = 1000


class Once:
    """Says of a key whether it is met for the first time. Of the keys it remembers the latest `REMEMBERED`."""

    def __init__(self) -> None:
        self._met: dict[str, None] = {}

    def first(self, key: str) -> bool:
        """Whether it was not met before, as far as is remembered; from now on it was."""
        if key in self._met:
            return False
        self._met[key] = None
        if len(self._met) > REMEMBERED:
            del self._met[next(iter(self._met))]
        return True
