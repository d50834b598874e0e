"""How long the machine was asleep."""

import time


def asleep_s() -> float:
    """Seconds that the machine spent suspended since it was started; 0 where nobody can tell."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
