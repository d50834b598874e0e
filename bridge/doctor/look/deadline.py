"""Bounded time for what may hang: a name server, a file system that is gone, a program that waits for another."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class OutOfTimeError(PostbellError):
    """The time for all of it is over, so that nothing follows from what did not come."""


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Time for several things one after the other: until `ends_at`, by the clock `monotonic`, in seconds."""

    ends_at: float
    monotonic: Callable[[], float]

    def share_s(self, most_s: float) -> float:
        """How long the next thing may take, `most_s` at most; raises OutOfTimeError when nothing is left."""
        self.check()
        return min(most_s, self.ends_at - self.monotonic())

    def check(self) -> None:
        """Raise OutOfTimeError when nothing is left: whatever was waited for has had less time than it should."""
        if self.monotonic() >= self.ends_at:
            raise OutOfTimeError("no time was left for it")


def within(time_s: float, work: Callable[[], T], *, name: str) -> T:
    """What `work` returns or raises; TimeoutError when it takes longer.

    It then goes on in a thread of that name, which the end of the process does not wait for: it must be such
    that leaves nothing half done.
    """
    results: list[T] = []
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.append(work())
            ended.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            ended.put(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        error = ended.get(timeout=max(time_s, 0))
    except queue.Empty:
        raise TimeoutError(f"no answer within {time_s:.0f} s") from None
    if error is not None:
        raise error
    return results[0]
