"""The course of time where several bridges share a store, in which may be very many users.

A start waits for none of them, and no statement is about all of them: whoever does what is for one goes on from where
time was followed to by whoever did it before, some users after the others, beside the mail that comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bridge.box.live_set import horizon
from bridge.store import grouped_live, live
from bridge.store.adapters import Course

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.box.live_set import Retention
    from bridge.store.store import Store

COMPARED = 1000
"""Users whose live sets are compared in one statement."""
MENDED = 100
"""Users whose live sets are worked out anew in one transaction, while their mail waits."""


class SharedCourse(Course):
    """As Course; `expire` is for one bridge, and the first time it goes on where the one before did."""

    def __init__(self, store: Store, *, days: float, now_ms: Callable[[], int]) -> None:
        super().__init__(store, days=days, now_ms=now_ms)
        self._followed = False
        self._log = structlog.get_logger()

    async def take_up(self) -> None:
        """Nothing: that is for one, and none of it is waited for."""

    async def review(self) -> None:
        """Have every live set worked out anew, at the next `expire` of whoever is the one.

        Until now this bridge worked out live sets, of those it kept mail for, with other settings or by another clock.
        """
        await self._store.write(live.doubt_all)

    async def expire(self) -> int:
        """Bring live sets up to date that time or other settings changed; of how many users.

        Which settings they were made with stands in the store, so whoever is the one reviews all if its own differ.
        """
        retention = self._store.retention
        since = await self._store.read(live.noted_horizon, retention)
        if since is None:
            return await self._review(retention)
        if not self._followed:
            self._since, self._followed = since, True
        return await super().expire()

    async def _review(self, retention: Retention) -> int:
        """Compare all live sets, and have those worked out anew that are not as they should be; of how many users.

        It is noted when all of it is done: whoever dies over it is followed by one who begins anew, and so is whoever
        was about it when another bridge doubted live sets.
        """
        now_ms = self._now_ms()
        await self._store.write(live.begin_review, retention)
        moved, behind = 0, 0
        while True:
            users, last = await self._store.read(
                grouped_live.different_of_some, retention, now_ms=now_ms, behind=behind, users=COMPARED
            )
            for first in range(0, len(users), MENDED):
                await self._store.write(live.doubt, users[first : first + MENDED])
            moved += len(users)
            if last is None:
                break
            behind = last
        await self._store.write(live.end_review, retention, until=horizon(now_ms, retention.days))
        self._log.info("live_sets_reviewed", users=moved)
        return moved
