"""Who may come in over HTTP, how many at once, and how fast strangers are answered. Pure: the time is passed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config.endpoints import LOOPBACK, within

if TYPE_CHECKING:
    from bridge.config.endpoints import Networks


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """Bounds on what visitors cost.

    `connections` holds for those of the known networks and, apart from them, for all others: so strangers who take
    all of theirs take none of a monitor's. `per_address` holds for strangers that are no proxies. All strangers
    together are answered `rate` times a second, `burst` times at once after a pause.
    """

    connections: int = 64
    per_address: int = 16
    rate: float = 100.0
    burst: int = 50


class Door:
    """Counts open connections, those of `networks` apart from those of strangers. `networks` may change at any time."""

    def __init__(
        self, *, networks: Networks = LOOPBACK, limits: DoorLimits | None = None, proxies: Networks = ()
    ) -> None:
        self.networks = networks
        self._proxies = proxies
        self._limits = limits or DoorLimits()
        self._known: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()
        self._answered_until = 0.0

    @property
    def open(self) -> int:
        """How many connections are counted now."""
        return self._known.total() + self._strangers.total()

    def knows(self, address: str) -> bool:
        """Whether a peer belongs to the networks that may see everything."""
        return within(address, self.networks)

    def enter(self, address: str) -> bool:
        """Count a connection in; False, and nothing is counted, when there are too many."""
        if self.knows(address):
            if self._known.total() >= self._limits.connections:
                return False
            self._known[address] += 1
            return True
        if self._strangers.total() >= self._limits.connections:
            return False
        if self._strangers[address] >= self._limits.per_address and not within(address, self._proxies):
            return False
        self._strangers[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection out that `enter` had counted in."""
        counted = self._known if address in self._known else self._strangers  # it may have become the other meanwhile
        counted[address] -= 1
        if not counted[address]:
            del counted[address]

    def wait_s(self, address: str, *, now: float) -> float:
        """How long an answer to this peer has to wait, in seconds. `now` never goes back."""
        if self.knows(address):
            return 0.0
        spacing = 1 / self._limits.rate
        self._answered_until = max(self._answered_until, now - self._limits.burst * spacing) + spacing
        return max(0.0, self._answered_until - now)
