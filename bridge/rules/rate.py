"""How often mail may ring for a user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

MOST_RINGS = 1000
LONGEST_WINDOW_MS = 86_400_000

_RATE = re.compile(r"(\d{1,4})\s*/\s*(\d{1,5})\s*([smh])")
_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1000}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `rings` rings in any `window_ms` milliseconds, which are whole seconds."""

    rings: int
    window_ms: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rate in a text such as `20/10m`; raises ValueError that says what to write instead."""
        match = _RATE.fullmatch(text.strip())
        if match is None:
            raise ValueError("write it as 20/10m: so many rings in so many s, m or h")
        rings, window_ms = int(match[1]), int(match[2]) * _UNITS_MS[match[3]]
        if not (1 <= rings <= MOST_RINGS and 1 <= window_ms <= LONGEST_WINDOW_MS):
            raise ValueError(f"use 1 to {MOST_RINGS} rings in at most a day")
        return cls(rings, window_ms)

    def __str__(self) -> str:
        unit = next(unit for unit, ms in _UNITS_MS.items() if self.window_ms % ms == 0)
        return f"{self.rings}/{self.window_ms // _UNITS_MS[unit]}{unit}"
