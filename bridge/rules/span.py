"""A span of the day, as quiet hours have them: minutes on the clock of the wall."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From one minute of the day to before another, past midnight where the second is not later.

    `start` is 0 to 1439, `end` up to 1440 (24:00), and they differ.
    """

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The span in a text such as `22:00-07:00`; raises ValueError that says what to write instead."""
        match = _SPAN.fullmatch(text.strip())
        if match is None:
            raise ValueError("write it as 22:00-07:00")
        hour, minute, last_hour, last_minute = map(int, match.groups())
        start, end = hour * 60 + minute, last_hour * 60 + last_minute
        if max(minute, last_minute) > 59 or start >= _DAY or end > _DAY:
            raise ValueError("hours are 00:00 to 24:00")
        if start == end:
            raise ValueError("it has no length; for the whole day write 00:00-24:00")
        return cls(start, end)

    def __str__(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}"

    def __contains__(self, minute: int) -> bool:
        """Whether a minute of the day (0 to 1439) is within the span."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end
