"""What work was done, however busy the machine is with others."""

from __future__ import annotations

import gc
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CLOCK_OF_A_PROCESS = 2
"""Linux: in the id of a clock, that it is the processor time of the process whose number is in the rest, inverted."""
_TRIES = 3


def processor_ms(pid: int) -> float:
    """Milliseconds of processor time that a process has used so far."""
    return time.clock_gettime_ns(~pid << 3 | _CLOCK_OF_A_PROCESS) / 1e6


def least_s(work: Callable[[], object], *, bound_s: float = 0.0, tries: int = _TRIES) -> float:
    """Seconds of this thread's processor time that some work takes: the least of a few runs.

    A machine that others keep busy doubles what one run takes, and no machine halves it. It stops trying at the
    first run below `bound_s`. Neither what measures coverage nor the collection of garbage counts.
    """
    least = float("inf")
    with _alone():
        for _ in range(tries):
            begun = time.thread_time()
            work()
            least = min(least, time.thread_time() - begun)
            if least < bound_s:
                break
    return least


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody looks at each line, and nothing is collected."""
    collects, watcher = gc.isenabled(), sys.gettrace()
    gc.disable()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(watcher)
        if collects:
            gc.enable()
