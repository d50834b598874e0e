"""The processor time that processes have used, with all that they started."""

from __future__ import annotations

import time
from pathlib import Path

_CLOCK_OF_A_PROCESS = 2
"""Linux: in the id of a clock, that it is the processor time of the process whose number is in the rest, inverted."""


def family(pid: int) -> set[int]:
    """A process and all that it, or one of its own, has started and that still run; only itself where none can know."""
    found, asked = {pid}, [pid]
    while asked:
        parent = asked.pop()
        for told in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                children = {int(word) for word in told.read_text("ascii").split()}
            except OSError:  # a thread that has ended meanwhile
                continue
            asked += children - found
            found |= children
    return found


def used_s(pids: set[int]) -> float | None:
    """Seconds of processor time of these processes so far; None where the system does not tell."""
    sum_s = 0.0
    for pid in pids:
        try:
            sum_s += time.clock_gettime_ns(~pid << 3 | _CLOCK_OF_A_PROCESS) / 1e9
        except OSError:
            return None
    return sum_s
