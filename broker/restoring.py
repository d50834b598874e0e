"""The queues of the last process come back from disk in turns, while the broker listens already.

Sessions with their subscriptions are there before anybody is let in, so nothing that is published passes them by; what
had waited for them is read afterwards, and a device that comes meanwhile has its own first, before it is let in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from broker.losses import QUEUE_FULL
from broker.topics import is_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.router import Router
    from broker.saved import SavedEntry
    from broker.session import DeviceSession
    from broker.sessions import SessionStore
    from broker.turns import Turns

_PIECE = 64  # messages in one turn; each costs half a unit of work (turns.py)


class Restoring:
    """Which sessions have not all they had. `clock` gives epoch seconds; `root` is that of the topics of mail."""

    def __init__(
        self, *, router: Router, store: SessionStore, turns: Turns, root: str, clock: Callable[[], float]
    ) -> None:
        self._router = router
        self._store = store
        self._turns = turns
        self._root = root
        self._clock = clock
        self._unread: dict[str, tuple[DeviceSession, int]] = {}  # with the sequence number of what came since
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._asked = asyncio.Event()
        self._messages = 0
        self._log = structlog.get_logger()

    def add(self, session: DeviceSession) -> None:
        """A session was put back whose queue is on disk."""
        if session.delivery.unread:
            self._unread[session.who.username] = (session, session.delivery.next_seq)
            self._asked.set()

    async def follow(self) -> None:
        """Read all queues, one after the other, as often as there are some; until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            sessions = len(self._unread)
            while self._unread:
                await self.ready(next(iter(self._unread)))
            self._log.info("queues_restored", sessions=sessions, messages=self._messages)

    async def ready(self, username: str) -> None:
        """Wait until all that waits for a login is in its queue."""
        unread = self._unread.get(username)
        if unread is None:
            return
        reading = self._reading.get(username)
        if reading is None:
            reading = self._reading[username] = asyncio.create_task(self._read(*unread), name="restore-queue")
            reading.add_done_callback(lambda _: self._reading.pop(username, None))
        await asyncio.shield(reading)

    async def _read(self, session: DeviceSession, before: int) -> None:
        username, roster, after = session.who.username, self._router.roster, 0
        while roster.sessions.get(username) is session:
            saved = await self._store.queue_of(username, after=after, before=before)
            if not saved:
                self._done(session, before)
                break
            after = saved[-1].seq
            for at in range(0, len(saved), _PIECE):
                await self._turns.wait(_PIECE // 2)
                if roster.sessions.get(username) is session:
                    self._put_back(session, saved[at : at + _PIECE])
        if self._unread.get(username) == (session, before):
            del self._unread[username]

    def _put_back(self, session: DeviceSession, saved: Sequence[SavedEntry]) -> None:
        now, delivery = self._clock(), session.delivery
        for entry in saved:
            message = entry.message
            expired = 0 < message.expires_at <= now
            state = is_state(self._root, message.topic)
            if expired or not delivery.restore(entry.seq, message, state=state, retain=entry.retain, ids=entry.ids):
                self._store.done(session.who.username, entry.seq)
            else:
                self._messages += 1

    def _done(self, session: DeviceSession, before: int) -> None:
        losses = self._router.losses
        for entry in session.delivery.restored(before):
            losses.lose(session, entry, QUEUE_FULL)
        self._router.roster.weigh(session)
        losses.account(session, 0)
