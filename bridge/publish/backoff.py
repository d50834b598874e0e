"""How long to wait before trying again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: first tries soon, later ones up to `longest_s` apart."""

    first_s: float = 0.1
    longest_s: float = 15.0

    def delay_s(self, attempt: int, *, jitter: float) -> float:
        """Seconds to wait before try number `attempt` (0 is the first retry).

        `jitter` is a random number from [0, 1) and spreads the wait over the upper half of its
        range, so that many clients that lost the same broker do not come back at once.
        """
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(attempt, 32))
        return ceiling * (0.5 + jitter / 2)
