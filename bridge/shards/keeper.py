"""The keeper of one bridge's leases: a beat each second, and what has to be done before a shard is served.

Who took a shard over closes the connections that earlier owners may have to the broker (the *fence*), has what they
had in flight doubted, and only then serves it. Until then its lease is renewed with the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bridge.errors import PostbellError, StoreUnavailableError
from bridge.shards import leases, waiting
from bridge.shards.plan import BEAT_S, LEASE_S, Beat, Tenure, plan, stops_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from bridge.shards.database_thread import DatabaseThread
    from bridge.shards.leases import Taken
    from bridge.shards.plan import Lease

AGAIN_S = 0.25
"""So long it is before what could not be taken is tried again."""
LEAVE_S = 2.0
"""So long a bridge that stops tries to give its leases up."""


class LeaseKeeper:
    """Which shards this process serves, and under which epoch. `session` is the one that has the node's name.

    `fence` closes the connection of another node; it raises PostbellError. While this one is not `able` to publish,
    what it has is for others. `busy` says of which shards something is in flight. `changed` is called whenever there is
    more or less to serve. `served` is called with what was taken, once it is served, and whether it was given in order.
    """

    def __init__(
        self,
        *,
        node: str,
        session: DatabaseThread,
        fence: Callable[[str], Awaitable[None]],
        able: Callable[[], bool],
        busy: Callable[[], frozenset[int]],
        changed: Callable[[], None],
        served: Callable[[frozenset[int], bool], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._node = node
        self._session = session
        self._fence = fence
        self._able = able
        self._there = False
        self._busy = busy
        self._changed = changed
        self._served = served
        self._monotonic = monotonic
        self._epochs: dict[int, int] = {}
        self._pending: dict[int, Taken] = {}
        self._draining: frozenset[int] = frozenset()
        self._stops_at = self._judges_at = float("-inf")
        self._wake = asyncio.Event()
        self._came = asyncio.Event()
        self._log = structlog.get_logger()

    def epoch(self, shard: int) -> int | None:
        """Under which epoch this bridge may publish for a shard at this moment; None when it may not."""
        return self._epochs.get(shard) if shard not in self._draining and self._monotonic() < self._stops_at else None

    def serves(self, shard: int) -> bool:
        """Whether this bridge answers for a shard at this moment: also while it is about to give it back."""
        return shard in self._epochs and self._monotonic() < self._stops_at

    @property
    def epochs(self) -> dict[int, int]:
        """The shards that may be published for at this moment, each with its epoch."""
        return {shard: epoch for shard, epoch in self._epochs.items() if self.epoch(shard) is not None}

    def wake(self) -> None:
        """Leases may have become free: beat at once."""
        self._wake.set()

    async def run(self) -> None:
        """Keep leases until cancelled; then give them up, so that nobody has to wait for their end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beats(), name="beats")
                tasks.create_task(self._takeovers(), name="takeovers")
        finally:
            await self._leave()

    async def _beats(self) -> None:
        while True:
            began_at = self._monotonic()
            again_s = BEAT_S
            self._wake.clear()
            try:
                again_s = (await self.beat()).again_s
            except StoreUnavailableError as error:
                self._judges_at = self._monotonic() + LEASE_S  # all were away, and all seem silent
                self._log.warning("leases_wait_for_store", reason=str(error))
            rest_s = max(0.0, began_at + again_s - self._monotonic())
            await asyncio.wait([waking := asyncio.ensure_future(self._wake.wait())], timeout=rest_s)
            waking.cancel()

    async def beat(self) -> Beat:
        """Renew, see what there is, give back and take; raises StoreUnavailableError."""
        if not self._able():
            await self._give_up()
            return Beat()
        self._there = True
        began_at = self._monotonic()
        mine = self._mine()
        rows, nodes = await self._session.run(leases.renew, self._node, mine)
        tenure = Tenure(
            node=self._node,
            epochs=mine,
            draining=self._draining,
            busy=self._busy() | self._pending.keys(),
            judging=began_at >= self._judges_at,
        )
        beat = plan(tenure, rows, nodes)
        self._lose(beat.lost)
        self._stops_at = stops_at(began_at)
        self._draining = beat.draining
        if beat.release:
            await self._release(beat.release)
        if beat.take and await self._take(beat, rows) < len(beat.take):
            return replace(beat, again_s=AGAIN_S)
        return beat

    async def _give_up(self) -> None:
        """Let others serve what this bridge has, who fence it: it may have its connection back by then."""
        if not self._there:
            return
        mine = self._mine()
        self._lose(mine)
        self._draining = frozenset()
        await self._session.run(leases.leave, self._node, mine)
        self._there = False

    def _mine(self) -> dict[int, int]:
        """The epochs of all shards that were taken, served or not."""
        return self._epochs | {shard: taken.epoch for shard, taken in self._pending.items()}

    def _lose(self, lost: Iterable[int]) -> None:
        some = sorted(lost)
        for shard in some:
            self._epochs.pop(shard, None)
            self._pending.pop(shard, None)
        if some:
            self._log.warning("leases_lost", shards=len(some), left=len(self._epochs))
            self._changed()

    async def _release(self, shards: Iterable[int]) -> None:
        given = {shard: self._epochs.pop(shard) for shard in shards}
        self._draining -= given.keys()
        self._changed()
        await self._session.run(leases.give_back, self._node, given)
        self._log.info("leases_given_back", shards=len(given), left=len(self._epochs))

    async def _take(self, beat: Beat, rows: Iterable[Lease]) -> int:
        """Take what was planned; how much came of it: others take as well, and who was stopped may have rows locked."""
        took = await self._session.run(leases.take, self._node, beat.take, dead=beat.dead)
        self._pending |= took
        before = {lease.owner for lease in rows if lease.shard in took and lease.owner is not None}
        if took:
            self._log.info("leases_taken", shards=len(took), of=sorted(before))
            self._came.set()
        return len(took)

    async def _takeovers(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                await self._take_over()
            except (PostbellError, TimeoutError, OSError) as error:
                self._log.warning("takeover_waits", reason=str(error) or type(error).__name__)
                await asyncio.sleep(BEAT_S)
                self._came.set()

    async def _take_over(self) -> None:
        """Serve what was taken, once nobody else can publish for it any more."""
        some = dict(self._pending)
        others = sorted(frozenset[str]().union(*(taken.unfenced for taken in some.values())))
        await asyncio.gather(*map(self._fence, others))
        epochs = {shard: taken.epoch for shard, taken in some.items()}
        unclean = [shard for shard, taken in some.items() if not taken.clean]
        ours = await self._session.run(leases.note_fenced, self._node, epochs)
        if unclean:
            await self._session.run(waiting.doubt, unclean)
        ready = {shard for shard in ours if self._pending.get(shard) == some[shard]}  # else it was lost meanwhile
        for shard in ready:
            self._epochs[shard] = self._pending.pop(shard).epoch
        self._log.info("leases_served", shards=len(ready), fenced=others, own=len(self._epochs))
        self._changed()
        for shards, in_order in ((ready.difference(unclean), True), (ready.intersection(unclean), False)):
            if shards:
                self._served(frozenset(shards), in_order)

    async def _leave(self) -> None:
        mine = self._mine()
        self._epochs.clear()
        self._pending.clear()
        leaving = asyncio.ensure_future(self._session.run(leases.leave, self._node, mine))
        await asyncio.wait({leaving}, timeout=LEAVE_S)  # wait_for of Python 3.11 does not do in a task that ends
        if not leaving.done() or isinstance(leaving.exception(), StoreUnavailableError):
            leaving.cancel()
            self._log.warning("leases_not_given_up", reason="the database does not answer")
