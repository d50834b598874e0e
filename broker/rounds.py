"""What is due by the clock: wills and sessions of those who are away, retained messages that expire, `$SYS`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from broker.wire.message import Message

if TYPE_CHECKING:
    from broker.shared import Shared
    from broker.vitals import Vitals

_REPORT = 3  # units of work (turns.py) of one of its topics
_REPORT_S = 10.0  # between two rounds of $SYS
_LEAST_S = 0.01


class Rounds:
    """Made when the broker begins; `run` goes on until it is cancelled."""

    def __init__(self, shared: Shared, vitals: Vitals) -> None:
        self._shared = shared
        self._vitals = vitals
        self._loop = asyncio.get_running_loop()
        self._begun_at = self._loop.time()

    async def run(self) -> None:
        """Look again and again."""
        shared, report_at, sooner = self._shared, self._begun_at, asyncio.Event()
        shared.router.roster.when_sooner(sooner.set)
        while True:
            now, router = shared.clock(), shared.router
            router.roster.look_after(now)
            if self._loop.time() >= report_at:
                report_at = self._loop.time() + _REPORT_S
                await self._report(now)
            sooner.clear()
            due_at = router.roster.next_at
            wait_s = max(report_at - self._loop.time(), _LEAST_S)
            if due_at is not None:
                wait_s = min(wait_s, max(due_at - now, _LEAST_S))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await sooner.wait()

    async def _report(self, now: float) -> None:
        router = self._shared.router
        router.expire_retained(now)
        figures = self._shared.statistics.topics(
            sessions=len(router.roster.sessions),
            subscriptions=len(router.roster.subscriptions),
            retained=len(router.retained),
            queued=sum(len(session.delivery) for session in router.roster.sessions.values()),
            uptime_s=self._loop.time() - self._begun_at,
            vitals=self._vitals.figures(),
        )
        for topic, value in figures.items():
            await self._shared.turns.wait(_REPORT, known=True)
            router.publish(Message(topic, value.encode(), 0), retain=True)
