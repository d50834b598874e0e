"""What work a process did, however busy the machine is with others."""

from __future__ import annotations

import time

_CLOCK_OF_A_PROCESS = 2
"""Linux: in the id of a clock, that it is the processor time of the process whose number is in the rest, inverted."""


def processor_ms(pid: int) -> float:
    """Milliseconds of processor time that a process has used so far."""
    return time.clock_gettime_ns(~pid << 3 | _CLOCK_OF_A_PROCESS) / 1e6
