"""A deadline that is moved for every command and hardly ever reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Deadline:
    """Calls `expired` once when the time that was last set is over. Moving it costs no timer.

    The timer that runs is set anew only when it fires before the deadline, so a session with
    thousands of commands makes a handful of timers.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0

    def set(self, at: float) -> None:
        """Expire at this time of the loop's clock, unless it is moved."""
        self._at = at
        if self._timer is None or self._fires_at > at:
            self._start(at)

    def lift(self) -> None:
        """Do not expire until `set` is called again."""
        self._at = None

    def cancel(self) -> None:
        """Never expire, and let go of the timer."""
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = at
        self._timer = self._loop.call_at(at, self._fired)

    def _fired(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._loop.time() >= self._at:
            self._at = None
            self._expired()
        else:
            self._start(self._at)
