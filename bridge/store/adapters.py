"""The store as each use case wants it: operations bound to one open store, its settings and the clock.

A use case says what it needs as a Protocol of its own (intake, requests, the pump, the look at the
broker). What needs no more than a store is bound as it is; a method stands here only where a
setting or the moment is added.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.box.box import Mail
from bridge.box.live_set import horizon
from bridge.store import backlog, live, messages, notifications, outbox, outbox_at, registered, repair, storms
from bridge.store.outbox_at import Since

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Container, Sequence

    from bridge.box.box import Terms
    from bridge.contract.publication import Publication
    from bridge.kept import Kept, PushResult, PushWaiting
    from bridge.model import Envelope, Header
    from bridge.reconcile import Observed, Repair
    from bridge.store.store import Store

USERS_AT_ONCE = 10_000
"""Of so many users is looked at a time whether any mail became too old."""


class Mailbox:
    """Messages, for intake and requests. `terms` may be replaced at any time, and so may the settings of the others."""

    def __init__(self, store: Store, terms: Terms) -> None:
        self._store = store
        self.terms = terms
        self.set_seen = store.writing(messages.set_seen)
        self.unseen = store.reading(messages.unseen)
        self.recent = store.reading(messages.recent)
        self.body = store.reading(messages.body)

    def keep(
        self, envelope: Envelope, header: Header, *, message_id: str, list_id: str = ""
    ) -> asyncio.Future[tuple[Kept, ...]]:
        """Keep a message for all its recipients; once that is done it is on disk. Fails with StoreUnavailableError."""
        mail = Mail(envelope, header, message_id, list_id)
        return self._store.gather(messages.keep, mail, terms=self.terms, retention=self._store.retention)


class OutboxRows:
    """The rows of the outbox, for the pump. `days` is how long an unseen message is live, and counts as unread.

    With a `cell` they are those of its users, without one all of them: the operations have other forms for that, and
    for the database.
    """

    def __init__(self, store: Store, *, days: float, now_ms: Callable[[], int], cell: int | None = None) -> None:
        self._store = store
        self.days = days
        self.cell = cell
        self.since = Since()
        self._now_ms = now_ms

    async def doubt(self, publications: Sequence[Publication] | None, *, limit: int) -> None:
        """Note that the broker may hold these; when None, what a process before this one may have had in flight."""
        if self.cell is None:
            await self._store.write(outbox.doubt, publications, limit=limit)
        else:
            await self._store.write(outbox.doubt, publications, limit=limit, cell=self.cell)

    async def settle(self, publications: Sequence[Publication]) -> None:
        """Take out what was acknowledged, with the next mail that is kept or soon."""
        if self.cell is None:
            await self._store.write_along(outbox.settle, publications)
        else:
            await self._store.write_along(outbox.settle, publications, cell=self.cell)

    async def take_messages(self, *, limit: int, busy: Container[str], new: bool = True) -> list[Publication]:
        """Waiting messages and events, oldest first; without `new` only what was marked."""
        if self.cell is None:
            return await self._store.read(
                outbox.take_messages, limit=limit, busy=busy, now_ms=self._now_ms(), days=self.days, new=new
            )
        begun = self.since
        taken, since = await self._store.read(
            outbox_at.take_messages,
            cell=self.cell,
            since=begun,
            limit=limit,
            busy=busy,
            now_ms=self._now_ms(),
            days=self.days,
            new=new,
        )
        if self.since is begun:  # else older rows may have come meanwhile
            self.since = since
        return taken

    async def take_views(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting views with their newest values."""
        now_ms = self._now_ms()
        if self.cell is None:
            return await self._store.read(outbox.take_views, limit=limit, busy=busy, now_ms=now_ms, days=self.days)
        at = (self.cell, self.since.views)
        return await self._store.read(outbox.take_views, limit=limit, busy=busy, now_ms=now_ms, days=self.days, at=at)

    def people_changed(self) -> None:
        """Users may have come from other cells, with rows that are older than those that were here."""
        self.since = Since()


class NotificationRows:
    """Which devices are to be rung, for delivery. `days` is how long an unseen message counts as unread."""

    def __init__(self, store: Store, *, days: float, now_ms: Callable[[], int]) -> None:
        self._store = store
        self.days = days
        self._now_ms = now_ms
        self.sweep_all = store.writing(notifications.sweep_all)
        self.record = store.writing(notifications.record)
        self.any_waiting = store.reading(notifications.any_waiting)

    async def take(self, *, limit: int, without: Collection[str], ttl_s: float) -> list[PushWaiting]:
        """For each device the message whose turn it is."""
        return await self._store.read(
            notifications.take,
            now_ms=self._now_ms(),
            ttl_ms=int(ttl_s * 1000),
            limit=limit,
            without=without,
            days=self.days,
        )

    async def sweep(self, waiting: PushWaiting, *, ttl_s: float) -> dict[PushResult, int]:
        """Let go of what its device need not be told any more."""
        whose = (waiting.user_id, waiting.device)
        return await self._store.write(notifications.sweep, *whose, ttl_ms=int(ttl_s * 1000))


class StoredTruth:
    """What the broker should hold, for whoever looks at what it does hold; where there are cells, that of `rows`."""

    def __init__(self, store: Store, *, rows: OutboxRows | None = None) -> None:
        self._store = store
        self._rows = rows

    async def names(
        self, *, after: str, limit: int, live: int, each: int, shards: Collection[int] | None = None
    ) -> list[str]:
        """Some names of users, in their order, behind this one."""
        return await self._store.read(
            registered.names, after=after, limit=limit, live=live, each=each, cell=self._cell, shards=shards
        )

    async def strangers(self, some: Collection[str]) -> list[str]:
        """Those of these names that no user has, or none here."""
        return await self._store.read(registered.strangers, some, cell=self._cell)

    async def waiting_messages(self) -> int:
        """How many topics wait that go before the views."""
        if self._rows is None or self._rows.cell is None:
            return await self._store.read(backlog.waiting_messages)
        return await self._store.read(outbox_at.waiting_messages, cell=self._rows.cell, since=self._rows.since)

    @property
    def _cell(self) -> int | None:
        return self._rows.cell if self._rows else None

    async def repair(self, observed: Observed, *, dry_run: bool = False) -> Repair:
        """Compare what the broker holds with what it should hold, and mark every difference.

        Mail that comes in waits for the writer only when there is something to mark.
        """
        observed = replace(observed, cell=self._cell)
        found = await self._store.read(repair.compare, observed)
        if dry_run or not found.marked:
            return found
        return await self._store.write(repair.mark, observed)


class Course:
    """What the course of time changes in the store: it asks the writer only when there is something to do."""

    def __init__(self, store: Store, *, days: float, now_ms: Callable[[], int]) -> None:
        self._store = store
        self.days = days
        self._now_ms = now_ms
        self._since = self._until = horizon(now_ms(), days)
        self._behind = 0

    async def take_up(self) -> None:
        """At a start: have live sets worked out anew that time changed meanwhile, or all if the settings did."""
        await self._store.write(live.take_up, self._store.retention)

    async def review(self) -> None:
        """Have every live set worked out anew: the settings, or the clock, have changed."""
        await self._store.write(live.review_all, self._store.retention)

    async def expire(self) -> int:
        """Bring live sets and counts up to date that the course of time changed; of how many users.

        Where users are very many, it looks at some of them, and the next time at others.
        """
        begins = not self._behind
        if begins:
            self._until = horizon(self._now_ms(), self.days)
        users, last = await self._store.read(
            live.crossed_of_some, since=self._since, until=self._until, behind=self._behind, users=USERS_AT_ONCE
        )
        if users:
            whole = begins and last is None
            await self._store.write(live.expire, users, until=self._until if whole else self._since)
        self._behind = last or 0
        if last is None:
            self._since = self._until
        return len(users)

    async def close_storms(self) -> int:
        """Have the storms told whose window has passed; how many."""
        if not await self._store.read(storms.any_over, self._now_ms()):
            return 0
        return await self._store.write(storms.close)
