"""How following a folder goes, as commands and metrics tell it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FollowState(StrEnum):
    """Where a follower is."""

    CONNECTING = "connecting"
    """It tries, for the first time or again; `reason` says what came of the try before."""
    FOLLOWING = "following"
    """It is connected, and the server tells it at once what changes."""
    POLLING = "polling"
    """It is connected to a server without IDLE, and asks every now and then."""
    CALLED = "called"
    """It has no connection: the server says by an event that something changed, and then it looks."""
    REFUSED = "refused"
    """The login is not taken; it does not try again before somebody has changed something."""


PASSES_MS = 600_000
"""So long a mail server may be away without anybody having to look after it."""


@dataclass(slots=True, kw_only=True)
class Standing:
    """One folder: since when it is in its state, when the server last said something, times in Unix milliseconds.

    `lag_ms` is how long the last news took from the server's word to the commit.
    """

    state: FollowState = FollowState.CONNECTING
    reason: str = ""
    since_ms: int = 0
    event_ms: int | None = None
    lag_ms: int | None = None
    connections: int = 0
    marked: int = 0
    """Mails that the mailbox was told of."""
    fetched: int = 0
    """Mails that were kept out of the folder."""

    def down(self, now_ms: int) -> bool:
        """Whether somebody has to look after it: the login is refused, or it has had no connection for long."""
        waits = self.state is FollowState.CONNECTING and bool(self.reason)
        return self.state is FollowState.REFUSED or (waits and now_ms - self.since_ms > PASSES_MS)
