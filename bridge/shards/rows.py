"""The rows of the outbox, for the pump of one of several bridges: those of the shards that it owns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.cells import MAIN
from bridge.shards import since, taking, waiting
from bridge.shards.plan import shard_of
from bridge.shards.since import Beginnings
from bridge.store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from bridge.contract.publication import Publication
    from bridge.shards.keeper import LeaseKeeper
    from bridge.store.store import Store
    from bridge.store.stretch import Stretch


class SharedRows:
    """What the pump needs of a store that others publish from as well. `days` is how long an unseen message is live.

    With a `cell` they are those of its users, without one of all.
    """

    def __init__(
        self,
        store: Store,
        *,
        keeper: LeaseKeeper,
        node: str,
        days: float,
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
        cell: int | None = None,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._node = node
        self.days = days
        self.cell = cell
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._since = Beginnings(began_at=monotonic())
        self._walked: dict[int, int] = {}
        """Of which shards, at which epochs, `_since` says where rows begin."""
        self._marks: dict[tuple[int, int], int] = {}
        """How far it is known to be on disk that rows may be on their way, by shard and epoch."""

    def people_changed(self) -> None:
        """Who came from another cell, with rows that are older than those here, is noticed by the walk itself."""

    @property
    def epochs(self) -> dict[int, int]:
        """The shards that may be published for at this broker, each with its epoch."""
        return self._keeper.epochs_at(self.cell or MAIN)

    def may_send(self, publication: Publication) -> bool:
        """Whether this bridge still has the lease under which it was taken."""
        return self._keeper.epoch(shard_of(publication.user_id), self.cell or MAIN) == publication.epoch

    async def take_messages(self, *, limit: int, busy: Container[str], new: bool = True) -> list[Publication]:
        """Waiting messages and events, oldest first; without `new` only what was marked."""
        epochs = self.epochs
        if not epochs:
            return []
        now_ms, shards = self._now_ms(), list(epochs)
        if self.cell is None:
            found, seq = await self._store.read(
                taking.take_messages,
                limit=limit,
                busy=busy,
                now_ms=now_ms,
                days=self.days,
                new=new,
                shards=shards,
            )
            return await self._marked(found, epochs, seq)
        begun = self._begin(epochs)
        walk, seq = await self._store.read(
            taking.take_messages_at,
            cell=self.cell,
            marked=begun.marked,
            new_from=begun.new,
            limit=limit,
            busy=busy,
            now_ms=now_ms,
            days=self.days,
            new=new,
            shards=shards,
        )
        if self._moved(begun, walk) and (begun.marked or begun.new):
            return await self.take_messages(limit=limit, busy=busy, new=new)
        self._learn(begun, since.after_messages(begun, walk, new=new, now=self._monotonic()))
        return await self._marked(walk.found, epochs, seq)

    async def take_views(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting views with their newest values."""
        epochs = self.epochs
        if not epochs:
            return []
        now_ms, shards = self._now_ms(), list(epochs)
        if self.cell is None:
            found, seq = await self._store.read(
                taking.take_views, limit=limit, busy=busy, now_ms=now_ms, days=self.days, shards=shards
            )
            return await self._marked(found, epochs, seq)
        begun = self._begin(epochs)
        walk, seq = await self._store.read(
            taking.take_views_at,
            cell=self.cell,
            views=begun.views,
            limit=limit,
            busy=busy,
            now_ms=now_ms,
            days=self.days,
            shards=shards,
        )
        if self._moved(begun, walk) and begun.views:
            return await self.take_views(limit=limit, busy=busy)
        self._learn(begun, since.after_views(begun, walk, now=self._monotonic()))
        return await self._marked(walk.found, epochs, seq)

    async def waiting_messages(self) -> int:
        """How many topics wait here that go before the views; there is a `cell`."""
        assert self.cell is not None, "without one all are counted"
        begun = self._begin(epochs := self.epochs)
        return await self._store.read(
            taking.waiting_messages_at,
            cell=self.cell,
            marked=begun.marked,
            new_from=begun.new,
            shards=list(epochs),
        )

    def _moved(self, begun: Beginnings, walk: Stretch) -> bool:
        """Whether somebody came from another cell or went since then: then the next walk begins at the start.

        One that began there has what they brought. It is not walked again, however many may be moving.
        """
        if walk.began.moves == begun.moves:
            return False
        self._since = since.anew(self._since, now=self._monotonic(), moves=walk.began.moves)
        return True

    def _learn(self, begun: Beginnings, then: Beginnings) -> None:
        """Begin there from now on, unless it was said meanwhile that the next walk begins at the start."""
        if self._since is begun:
            self._since = then

    def _begin(self, epochs: dict[int, int]) -> Beginnings:
        """Where a walk begins now: at the start where it is for shards that were not walked before."""
        now = self._monotonic()
        if not epochs.items() <= self._walked.items() or since.grown_old(self._since, now=now):
            self._since = since.anew(self._since, now=now)
        self._walked = dict(epochs)
        return self._since

    async def _marked(self, found: Sequence[Publication], epochs: dict[int, int], seq: int) -> list[Publication]:
        """Have it on disk that these may be on their way, and leave out those of a lease that is lost."""
        shards = {shard_of(each.user_id) for each in found}
        beyond = {shard: epochs[shard] for shard in shards if self._marks.get((shard, epochs[shard]), -1) < seq}
        if beyond:
            raised = await self._store.write(waiting.raise_marks, self._node, beyond, seq=seq + waiting.AHEAD)
            now = self.epochs
            self._marks = {at: mark for at, mark in self._marks.items() if now.get(at[0]) == at[1]}
            self._marks |= {(shard, epochs[shard]): seq + waiting.AHEAD for shard in raised}
            shards -= beyond.keys() - raised
        return [
            replace(each, epoch=epochs[shard_of(each.user_id)]) for each in found if shard_of(each.user_id) in shards
        ]

    async def settle(self, publications: Sequence[Publication]) -> None:
        """Take out what was acknowledged, as far as it was sent under the lease of now; the rest is marked again."""
        await self._store.write_along(waiting.settle, publications, node=self._node, cell=self.cell)

    async def doubt(self, publications: Sequence[Publication] | None, *, limit: int) -> None:
        """Note that the broker may hold these; what a process before had in flight is doubted at takeover."""
        if publications is not None:
            await self._store.write(outbox.doubt, publications, limit=limit)
