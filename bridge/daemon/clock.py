"""The wall clock, in the unit that the store counts in."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000
