"""What time does to messages: they leave the live set, their bodies go, storms end, the clock steps.

One task that looks every few seconds. A clock that steps makes it work every live set out anew;
after a step forward nothing is dropped for a day, since the clock may be the one that is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from bridge.errors import StoreUnavailableError
from bridge.store import bodies, messages, portions
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.shards.course import SharedCourse
    from bridge.store.adapters import Course
    from bridge.store.bodies import Keeping
    from bridge.store.store import Store

LOOK_S = 5.0
"""How often the clock, the live sets and the storms are looked at."""
CLEAR_S = 60.0
"""How often bodies and old headers are held against their limits."""
COUNT_S = 15.0
"""How often the messages of each user are counted."""
STEP_MS = 5_000
"""So far may wall clock and monotonic clock drift apart between two looks before that is a step."""
TRUST_CLOCK_AFTER_S = 86_400.0
"""After a step forward nothing is dropped for so long: somebody may still set the clock right."""


class Lifetimes:
    """The task; `now_ms` is the wall clock, `monotonic` the one that never steps.

    `clear_spool` removes spool files, unless somebody holds them. A user who has `most_messages` or more is one of
    `full` when the next count is done, and `counted` is called when that changed. That and `keeping` may be replaced at
    any time. Where several bridges share a store, `for_all` says whether this one does what one of them has to do.
    """

    def __init__(
        self,
        *,
        store: Store,
        course: Course | SharedCourse,
        clear_spool: Callable[..., Awaitable[bool]],
        keeping: Keeping,
        most_messages: int,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        tally: Tally | None = None,
        counted: Callable[[], None] = lambda: None,
        for_all: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._course = course
        self._clear_spool = clear_spool
        self.keeping = keeping
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._tally = tally or Tally()
        self._offset_ms = self._offset()
        self.most_messages = most_messages
        self._clear_at = self._count_at = monotonic()
        self._doubted = False
        self._reviewed = asyncio.Event()
        self.full: dict[int, str] = {}
        """Id and name of the users who may have no more messages, as of the last count."""
        self._counted = counted
        self._for_all = for_all
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Look for ever; a store that cannot be written now is looked at again."""
        while True:
            self._reviewed.clear()
            try:
                await self.look()
            except StoreUnavailableError as error:
                self._log.warning("lifetimes_wait_for_store", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._reviewed.wait()

    def review(self) -> None:
        """Look at once, work every live set out and count all messages: the settings have changed."""
        self._doubted = True
        self._count_at = self._monotonic()
        self._reviewed.set()

    async def look(self) -> None:
        """One look: clock, live sets, and now and then the limits on bodies."""
        step_ms = self._offset() - self._offset_ms
        if abs(step_ms) > STEP_MS:
            self._offset_ms += step_ms
            self._log.warning("clock_stepped", milliseconds=step_ms)
            if step_ms > 0:
                self._clear_at = self._monotonic() + TRUST_CLOCK_AFTER_S
            self._doubted = True
        if self._doubted:
            await self._review()
        if self._for_all():
            await self._expire()
        if self._monotonic() >= self._count_at:
            self._count_at = self._monotonic() + COUNT_S
            await self._count()
        if self._monotonic() >= self._clear_at and self._for_all():
            self._clear_at = self._monotonic() + CLEAR_S
            await self._clear()

    async def _review(self) -> None:
        self._doubted = False
        try:
            await self._course.review()
        except StoreUnavailableError:
            self._doubted = True
            raise

    async def _expire(self) -> None:
        expired = await self._course.expire()
        if expired:
            self._log.info("messages_expired", users=expired)
        told = await self._course.close_storms()
        if told:
            self._log.info("storms_told", storms=told)

    async def _count(self) -> None:
        before, full = self.full, dict[int, str]()
        async for among in portions.everybody(self._store):
            full |= await self._store.read(messages.users_with, self.most_messages, among=among)
        self.full = full
        for user_id in self.full.keys() - before.keys():
            self._log.warning("mailbox_full", user=self.full[user_id], messages=self.most_messages)
        if self.full.keys() != before.keys():
            self._counted()

    async def _clear(self) -> None:
        over = [
            user_id
            async for among in portions.everybody(self._store)
            for user_id in await self._store.read(bodies.over_quota, self.keeping.quota, among=among)
        ]
        while dropped := await self._store.write(bodies.clear, self.keeping, over=over):
            self._tally.bodies_dropped += dropped
            self._log.info("bodies_dropped", rows=dropped)
        files = await self._store.read(messages.discarded_files)
        if not files:
            return
        if await self._clear_spool(*files):
            await self._store.write(messages.forget_discarded, files)
        else:
            self._log.info("spool_not_cleared", files=len(files))

    def _offset(self) -> int:
        return self._now_ms() - int(self._monotonic() * 1000)
