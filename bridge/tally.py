"""What happened since the process began, in plain numbers: counted where it happens, read by whoever watches. Pure.

Counting is a dictionary look-up and an addition, and nobody's name is in it: labels are kinds, codes and parts of ours,
so that there are few of them whatever strangers send. `metrics/catalogue.py` says how each looks to Prometheus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
AWAITED_AT_MOST = 20_000
"""So many messages at once are timed from commit to PUBACK: with a broker away for a day there may be many more."""


class Histogram:
    """How many times were at most as long as each of the bounds, in seconds, and the sum of all."""

    __slots__ = ("bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        """By the smallest bound that a time does not exceed; the last is for those above all."""
        self.sum_s = 0.0

    def observe(self, time_s: float) -> None:
        """Count one time."""
        self.counts[bisect_left(self.bounds_s, time_s)] += 1
        self.sum_s += time_s


@dataclass(slots=True)
class Tally:
    """The counts of one bridge. `monotonic` gives seconds that never go back."""

    monotonic: Callable[[], float] = lambda: 0.0
    accepted: Counter[str] = field(default_factory=Counter)
    """Messages that were answered 250 for somebody, by `smtp` and `lmtp`, and those fetched, as `imap`."""
    kept: Counter[str] = field(default_factory=Counter)
    """Messages kept for a user, by what was decided of their ringing."""
    copies: int = 0
    """Known copies: no mail of a user's, and it does not ring."""
    messages_refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Whole messages that were refused behind their data, by code and enhanced code."""
    refusals: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Every 4xx and 5xx to a mail sender, by code and enhanced code."""
    sessions: Counter[str] = field(default_factory=Counter)
    """Connections of mail senders that were let in, by listener."""
    sessions_open: Counter[str] = field(default_factory=Counter)
    """Those that go on."""
    published: Counter[str] = field(default_factory=Counter)
    """What the broker acknowledged, by kind of row; a cleared message is a `tombstone`."""
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_S))
    """From the commit of a message to the PUBACK of its header, of messages that this process took."""
    links: Counter[str] = field(default_factory=Counter)
    """Connections to the broker: `connected`, `failed`, `lost`."""
    looks: Counter[str] = field(default_factory=Counter)
    """Comparisons with what the broker holds: `done`, `failed`."""
    repairs: Counter[str] = field(default_factory=Counter)
    """Topics that were wrong there and marked: `missing`, `different`, `stale`."""
    topics_there: int = 0
    """Topics that the broker had at the last comparison."""
    looked_at_s: float | None = None
    """When that was, by `monotonic`; None before the first."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Requests of devices, by operation and result."""
    replies_dropped: int = 0
    bodies_dropped: int = 0
    """Bodies and old headers that went by age, quota or total."""
    pushes: Counter[str] = field(default_factory=Counter)
    """What became of telling devices by push: results, and `again` for each try that push services did not take."""
    pages: Counter[int] = field(default_factory=Counter)
    """Answers over HTTP, by status."""
    _committed_at_s: dict[tuple[int, int], float] = field(default_factory=dict)

    def keep(self, user_id: int, number: int, alert: str, *, told: bool) -> None:
        """A message was committed for a user. Unless it is `told` to nobody, its way to the broker is timed."""
        self.kept[alert] += 1
        if told and len(self._committed_at_s) < AWAITED_AT_MOST:
            self._committed_at_s[user_id, number] = self.monotonic()

    def acknowledge(self, kind: str) -> None:
        """The broker acknowledged a publish."""
        self.published[kind] += 1

    def arrive(self, user_id: int, number: int) -> None:
        """It acknowledged the header of a message; only the first time is that message's way at its end."""
        begun_s = self._committed_at_s.pop((user_id, number), None)
        if begun_s is not None:
            self.latency.observe(self.monotonic() - begun_s)

    def forget(self, user_id: int, number: int) -> None:
        """A message that was to be published is not to be published any more."""
        self._committed_at_s.pop((user_id, number), None)

    def begin(self, listener: str) -> None:
        """A mail sender was let in."""
        self.sessions[listener] += 1
        self.sessions_open[listener] += 1

    def end(self, listener: str) -> None:
        """A mail sender that was let in is gone."""
        self.sessions_open[listener] -= 1

    def look(self, *, missing: int, different: int, stale: int, topics: int) -> None:
        """What the broker holds, so many topics, was compared, and differences were marked."""
        self.looks["done"] += 1
        self.repairs.update(missing=missing, different=different, stale=stale)
        self.topics_there = topics
        self.looked_at_s = self.monotonic()
