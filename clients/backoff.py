"""How long a client waits before it tries again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Backoff:
    """Waits that double from `first_s` to `longest_s`, each cut by up to half at random.

    `jitter` returns a number from [0, 1): devices that lost the same broker must not come back at once.
    """

    jitter: Callable[[], float]
    first_s: float = 0.25
    longest_s: float = 30.0
    tries: int = 0

    def next_s(self) -> float:
        """Seconds until the next try; each call counts as one failure."""
        wait_s = min(self.longest_s, self.first_s * 2.0 ** min(self.tries, 32))
        self.tries += 1
        return wait_s * (0.5 + self.jitter() / 2)

    def reset(self) -> None:
        """It worked: the next failure waits as short as the first."""
        self.tries = 0
