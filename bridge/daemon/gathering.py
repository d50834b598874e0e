"""All readings of a bridge at one moment: its tally, what the store counts, the disk, and what its broker says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.metrics import disk
from bridge.metrics.readings import Readings, StoreReadings
from bridge.metrics.waiting import OldestWait
from bridge.store import counts, outbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.daemon.app import Bridge

LOOK_S = 15.0
"""How often it is looked which rows wait: so exact is the age of the oldest."""
SPOOL_S = 60.0
"""How often the spool is counted: it may have many files."""


class Gathering:
    """Takes readings. `problems` gives the parts that are not ready; `watch` has to run for the outbox's age."""

    def __init__(
        self,
        bridge: Bridge,
        *,
        problems: Callable[[], Awaitable[Mapping[str, str]]],
        expiries_s: Callable[[], Mapping[str, float]],
        lag_s: Callable[[], float],
        now_s: Callable[[], float],
        version: str,
    ) -> None:
        self._bridge = bridge
        self._problems = problems
        self._expiries_s = expiries_s
        self._lag_s = lag_s
        self._now_s = now_s
        self._version = version
        self._oldest = OldestWait()
        self._oldest_s = 0.0
        self._spool = (0, 0)
        self._spool_at_s: float | None = None
        self._log = structlog.get_logger()

    async def watch(self) -> None:
        """Look which rows wait, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def read(self) -> Readings:
        """All readings; what cannot be read is left out."""
        bridge = self._bridge
        await self._look()
        store, problems = await self._count(), await self._problems()
        await self._measure_spool()
        size, files = self._spool
        database = bridge.settings.database
        on_disk = await asyncio.to_thread(disk.measure, database, spool=size, spool_files=files)
        expiries_s = await asyncio.to_thread(self._expiries_s)
        return Readings(
            tally=bridge.tally,
            now_s=self._now_s(),
            monotonic_s=bridge.tally.monotonic(),
            version=self._version,
            connected=bridge.main.connected.connection is not None,
            problems=problems,
            users_full=len(bridge.lifetimes.full),
            oldest_wait_s=self._oldest_s,
            loop_lag_s=self._lag_s(),
            store=store,
            disk=on_disk,
            mailboxes=bridge.mailboxes.readings(),
            broker=bridge.figures.figures(),
            expiries_s=expiries_s,
        )

    async def _look(self) -> None:
        try:
            first, highest = await self._bridge.store.read(outbox.first_and_highest)
            new_ms = await self._bridge.store.read(outbox.oldest_new_ms)
        except (StoreUnavailableError, StoreCorruptError):
            return  # readiness says so
        marked_s = self._oldest.age_s(first=first, highest=highest, now_s=self._bridge.tally.monotonic())
        self._oldest_s = max(marked_s, 0.0 if new_ms is None else self._now_s() - new_ms / 1000)

    async def _count(self) -> StoreReadings | None:
        try:
            found = await counts.count(self._bridge.store)
        except (StoreUnavailableError, StoreCorruptError):
            return None
        waiting = {"message": found.messages_waiting, "view": found.views_waiting}
        oldest_s = 0.0 if found.push_oldest_ms is None else max(0.0, self._now_s() - found.push_oldest_ms / 1000)
        return StoreReadings(
            users=found.users,
            devices=found.devices,
            live=found.live,
            waiting=waiting,
            rung=found.rung,
            push_waiting=found.pushes_waiting,
            push_oldest_s=oldest_s,
        )

    async def _measure_spool(self) -> None:
        now_s = self._bridge.tally.monotonic()
        if self._spool_at_s is None or now_s - self._spool_at_s >= SPOOL_S:
            self._spool_at_s = now_s
            try:
                self._spool = await self._bridge.spool.size()
            except StoreUnavailableError as error:
                self._log.warning("spool_not_measured", reason=str(error))
