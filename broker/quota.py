"""How much waits for all devices that are away, and for whom most: one bound for the sum of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EACH = 512
"""What a message takes of the broker's memory beside its payload and properties, in bytes."""
_SLACK = 256  # parts of the bound, of which one is freed at once, so that few look for who has most


class Quota:
    """Bytes that wait for each login that is away, and the most that may wait for all of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._away: dict[str, int] = {}

    @property
    def over(self) -> bool:
        """Whether more waits than may."""
        return self.total > self.most

    @property
    def tight(self) -> bool:
        """Whether, once it was over, still more has to go."""
        return self.total > self.most - self.most // _SLACK

    def hold(self, username: str, octets: int) -> None:
        """A device is away, and so much waits for it."""
        self.total += octets - self._away.get(username, 0)
        self._away[username] = octets

    def add(self, username: str, octets: int) -> None:
        """So much more waits, or less; nothing where the device is not away."""
        if username in self._away:
            self._away[username] += octets
            self.total += octets

    def release(self, username: str) -> None:
        """The device is back, or its session has ended."""
        self.total -= self._away.pop(username, 0)

    def heaviest(self, able: Callable[[str], bool]) -> str | None:
        """For whom most waits, of those who are able to lose some of it."""
        found = max(((octets, name) for name, octets in self._away.items() if able(name)), default=None)
        return found[1] if found else None
