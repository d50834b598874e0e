"""When a session is to connect, how long it waits for the answer, and when it tries again. Pure but for its clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.backoff import Backoff

CONNECT_TIMEOUT_S = 10.0
"""How long the broker may take to accept a connection, and then to answer CONNECT."""
STABLE_S = 20.0
"""A connection that held this long counts as good: the next one that is lost is retried at once."""
SLEEP_S = 5.0
"""After the machine slept longer than this, its connections are taken for dead."""
BRIEF_CONNECTIONS = 3
"""After so many connections in a row that did not last, the user is told a likely reason."""


class Schedule:
    """The times of one session.

    `clock` gives seconds that only grow, `asleep` the seconds that the machine spent asleep since it was
    started. Moments (`_at`) are those of `clock`.
    """

    def __init__(self, *, clock: Callable[[], float], asleep: Callable[[], float], backoff: Backoff) -> None:
        self._clock, self._asleep, self._backoff = clock, asleep, backoff
        self._asleep_s = asleep()
        self._connect_at = clock()
        self._connected_at: float | None = None
        self._give_up_at: float | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection, which was not lost since."""
        return self._connected_at is not None

    @property
    def may_connect(self) -> bool:
        """Whether the wait before the next try is over."""
        return self._clock() >= self._connect_at

    @property
    def unanswered(self) -> bool:
        """Whether the broker has had its time to answer CONNECT."""
        return self._give_up_at is not None and self._clock() >= self._give_up_at

    def wait_s(self, longest_s: float, *, dialled: bool) -> float:
        """How long nothing has to be done, at most `longest_s`; `dialled` says whether there is a socket."""
        next_at = self._give_up_at if dialled else self._connect_at
        return max(0.0, longest_s if next_at is None else min(longest_s, next_at - self._clock()))

    # --- what happens -----------------------------------------------------------------------------

    def dialled(self) -> None:
        """CONNECT goes out now."""
        self._give_up_at = self._clock() + CONNECT_TIMEOUT_S

    def answered(self, *, accepted: bool) -> None:
        """CONNACK has come."""
        self._give_up_at = None
        if accepted:
            self._connected_at = self._clock()

    def heard(self) -> None:
        """A message came: a link that carries mail is worth coming back to soon, however short it lasts."""
        self._backoff.reset()

    def retry_s(self) -> float:
        """How long to wait, now that the connection was lost or did not come about."""
        if self.connected and not self._brief():
            self._backoff.reset()
        self._connected_at = self._give_up_at = None
        wait_s = self._backoff.next_s()
        self._connect_at = self._clock() + wait_s
        return wait_s

    def woke(self) -> bool:
        """Whether the machine slept since this was asked last; then the next try is due at once."""
        slept_s, self._asleep_s = self._asleep() - self._asleep_s, self._asleep()
        if slept_s <= SLEEP_S:
            return False
        self._backoff.reset()
        self._connect_at = min(self._connect_at, self._clock())
        return True

    @property
    def keeps_ending(self) -> bool:
        """Whether this connection and those before it all were lost soon."""
        return self._brief() and self._backoff.tries >= BRIEF_CONNECTIONS

    def _brief(self) -> bool:
        return self._connected_at is not None and self._clock() - self._connected_at < STABLE_S
