"""What processes cost over time, and whether that is flat. Pure but for `look`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

WARM = 0.3
"""So much of a process's life does not count: caches fill, and the live sets reach their size."""
GROWN_KIB, GROWN_SHARE = 6 * 1024, 0.06
"""So much more memory at the end than at the beginning is none: allocators are never quite still."""
GROWN_DESCRIPTORS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at a moment: seconds since the soak began, resident memory, open descriptors, threads."""

    process: str
    pid: int
    at: float
    rss_kib: int
    descriptors: int
    threads: int


def look(process: str, pid: int, at: float) -> Sample | None:
    """A process as it is now; None when it is gone."""
    try:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return Sample(process, pid, at, int(status["VmRSS"].split()[0]), descriptors, int(status["Threads"]))
    except (OSError, KeyError):
        return None


@dataclass(frozen=True, slots=True)
class Trend:
    """The lowest figures of a process in the first third of its life that counts, and in the last."""

    process: str
    pid: int
    seconds: float
    rss_kib: tuple[int, int]
    descriptors: tuple[int, int]

    @property
    def flat(self) -> bool:
        before, after = self.rss_kib
        allowed = max(GROWN_KIB, GROWN_SHARE * before)
        return after - before <= allowed and self.descriptors[1] - self.descriptors[0] <= GROWN_DESCRIPTORS

    def __str__(self) -> str:
        rss, descriptors = self.rss_kib, self.descriptors
        return (
            f"{self.process:8} pid {self.pid:<8} {self.seconds:6.0f} s   memory {rss[0] / 1024:6.1f} -> "
            f"{rss[1] / 1024:6.1f} MiB   descriptors {descriptors[0]:3} -> {descriptors[1]:3}   "
            f"{'flat' if self.flat else 'GROWS'}"
        )


def trends(samples: list[Sample]) -> list[Trend]:
    """The trend of each process that was looked at often enough.

    The lowest of a third stands for it: what is above is a connection that is just open, or garbage not yet collected.
    """
    found = []
    for process, pid in dict.fromkeys((sample.process, sample.pid) for sample in samples):
        mine = [sample for sample in samples if (sample.process, sample.pid) == (process, pid)]
        counted = mine[int(len(mine) * WARM) :]
        third = len(counted) // 3
        if third < 2:
            continue
        first, last = counted[:third], counted[-third:]
        found.append(
            Trend(
                process,
                pid,
                mine[-1].at - mine[0].at,
                (min(each.rss_kib for each in first), min(each.rss_kib for each in last)),
                (min(each.descriptors for each in first), min(each.descriptors for each in last)),
            )
        )
    return found
