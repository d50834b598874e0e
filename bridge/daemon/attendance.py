"""Which devices are awake: connected to the embedded broker, and have acknowledged the message there.

A page that is open has the message by MQTT, and rings by itself. Whether it is open nobody says, for it would have to
say so again and again; what it acknowledged, the broker's file knows. Of another broker nothing is known, and every
device is taken for asleep: then the ring has the same tag as the page's own, and takes its place.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.contract import topics
from bridge.daemon import runfile
from bridge.push.needs import Wakefulness
from bridge.store import pairing, queues, visits
from bridge.store.queues import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bridge.kept import PushWaiting
    from bridge.store.visits import NotedVisit

GRACE_MS: Final = 3_000
"""So long a device that is connected may take; the broker's file is written within a second."""


class EmbeddedAttendance:
    """Looks into the embedded broker's file; `now_ms` is Unix time."""

    def __init__(self, sessions: Path, *, run_dir: Path, root: str, now_ms: Callable[[], int]) -> None:
        self._sessions = sessions
        self._run_dir = run_dir
        self._root = root
        self._now_ms = now_ms

    async def attendance(self, waiting: Sequence[PushWaiting]) -> list[Wakefulness]:
        """That of each."""
        return await asyncio.to_thread(self._looked, waiting) if waiting else []

    def _looked(self, waiting: Sequence[PushWaiting]) -> list[Wakefulness]:
        names = {_login(each) for each in waiting}
        running = runfile.running(self._run_dir, runfile.BROKER)
        noted = visits.read(self._sessions, running=running, of=names) or {}
        return [self._of(each, noted.get(_login(each))) for each in waiting]

    def _of(self, waiting: PushWaiting, visit: NotedVisit | None) -> Wakefulness:
        if visit is None or not (visit.online or visit.seen_ms >= waiting.created_ms):
            return Wakefulness.ASLEEP
        if waiting.told and self._acknowledged(waiting):
            return Wakefulness.AWAKE
        new = 0 <= self._now_ms() - waiting.created_ms < GRACE_MS
        return Wakefulness.UNSURE if visit.online and new else Wakefulness.ASLEEP

    def _acknowledged(self, waiting: PushWaiting) -> bool:
        topic, name = f"{self._root}/{topics.message(waiting.user, waiting.mail_id)}", _login(waiting)
        found = queues.deliveries(self._sessions, topic, [name], now_ms=self._now_ms())
        return found[name] is DeliveryState.ACKNOWLEDGED


class UnknownAttendance:
    """Of another broker nobody knows."""

    async def attendance(self, waiting: Sequence[PushWaiting]) -> list[Wakefulness]:
        """Asleep, all of them."""
        return [Wakefulness.ASLEEP] * len(waiting)


def _login(waiting: PushWaiting) -> str:
    """The login of a device that waits."""
    return pairing.username(waiting.user, waiting.device)
