"""How the broker's process does: memory, descriptors, processor time, and how late its event loop comes."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections import deque
from pathlib import Path

LOOK_S = 5.0
REMEMBERED = 12
"""Looks: what was late shows for a minute, so that whoever asks every half minute sees it."""
_PROC = Path("/proc/self")


class Vitals:
    """Figures of this process. `watch` has to run for those of the event loop."""

    def __init__(self) -> None:
        self._late_s: deque[float] = deque(maxlen=REMEMBERED)

    async def watch(self) -> None:
        """Look how late the loop comes, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self._late_s.append(round(max(0.0, loop.time() - due_s), 6))

    def figures(self) -> dict[str, float]:
        """What there is to tell, by the names under `$SYS/broker/`; what this system does not tell is left out."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        found = {
            "loop/lag": max(self._late_s, default=0.0),
            "process/cpu": round(used.ru_utime + used.ru_stime, 3),
        }
        with contextlib.suppress(OSError):
            pages = int((_PROC / "statm").read_text(encoding="ascii").split()[1])
            found["process/memory"] = pages * resource.getpagesize()
            # Linux 6.2 and newer says how many there are; to list those of ten thousand clients would take its time.
            found["process/descriptors"] = (_PROC / "fd").stat().st_size or sum(1 for _ in (_PROC / "fd").iterdir())
        return found
