"""The keeper of one bridge's leases: a beat each second, and what has to be done before a shard is served.

Who took a shard over has doubted what earlier owners had in flight, closes the connections that these may have to a
broker (the *fence*), and only then serves it there. Where there are several brokers, a cell each, one that is away
keeps no other waiting: its fences are owed, in the lease, until they are done.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bridge.cells import MAIN
from bridge.errors import PostbellError, StoreUnavailableError
from bridge.shards import leases, owing, waiting
from bridge.shards.owing import Debts, Owed
from bridge.shards.plan import BEAT_S, LEASE_S, Beat, Tenure, plan, stops_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from bridge.shards.database_thread import DatabaseThread
    from bridge.shards.leases import Taken
    from bridge.shards.plan import Lease

AGAIN_S = 0.25
"""So long it is before what could not be taken is tried again."""
LEAVE_S = 2.0
"""So long a bridge that stops tries to give its leases up."""


class LeaseKeeper:
    """Which shards this process serves, and under which epoch. `session` is the one that has the node's name.

    `beside` is another one, for what may have to wait for somebody's locks, as leases are renewed meanwhile.
    `fence` closes the connection of another node at a cell; it raises PostbellError. While this one is not `able` to
    publish, what it has is for others. `busy` says of which shards something is in flight, and `stuck` of which at
    cells that are away. `changed` is called whenever there is more or less to serve. `served` is called with a cell,
    with the shards that are served there from now on, and whether they were given in order.
    """

    def __init__(
        self,
        *,
        node: str,
        session: DatabaseThread,
        beside: DatabaseThread,
        fence: Callable[[int, str], Awaitable[None]],
        able: Callable[[], bool],
        busy: Callable[[], frozenset[int]],
        stuck: Callable[[], Mapping[int, frozenset[int]]] = dict,
        changed: Callable[[], None],
        served: Callable[[int, frozenset[int], bool], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._node = node
        self._session = session
        self._beside = beside
        self._fence = fence
        self._able = able
        self._there = False
        self._busy = busy
        self._stuck = stuck
        self._changed = changed
        self._served = served
        self._monotonic = monotonic
        self._epochs: dict[int, int] = {}
        self._pending: dict[int, Taken] = {}
        self._debts = Debts()
        self._noting = asyncio.Lock()
        self._in_order: frozenset[int] = frozenset()
        self._paying: dict[int, asyncio.Task[None]] = {}
        self._draining: frozenset[int] = frozenset()
        self._stops_at = self._judges_at = float("-inf")
        self._wake = asyncio.Event()
        self._came = asyncio.Event()
        self._log = structlog.get_logger()

    def epoch(self, shard: int, cell: int = MAIN) -> int | None:
        """Under which epoch this bridge may publish for a shard at a cell, at this moment; None when it may not."""
        return self._epochs[shard] if self.serves(shard, cell) and shard not in self._draining else None

    def serves(self, shard: int, cell: int = MAIN) -> bool:
        """Whether this bridge answers for a shard at a cell, at this moment: also while it is about to give it back."""
        return shard in self._epochs and self._monotonic() < self._stops_at and not self._debts.bars(shard, cell)

    def owns(self, shard: int) -> bool:
        """Whether it is this bridge's at this moment, wherever it may be published for."""
        return shard in self._epochs and self._monotonic() < self._stops_at

    @property
    def owns_any(self) -> bool:
        """Whether anything is this bridge's at this moment."""
        return bool(self._epochs) and self._monotonic() < self._stops_at

    @property
    def epochs(self) -> dict[int, int]:
        """The shards that may be published for at the first cell."""
        return self.epochs_at(MAIN)

    def everywhere(self, cells: Iterable[int]) -> frozenset[int]:
        """The shards that may be published for at each of these cells, at this moment."""
        return frozenset(self._epochs).intersection(*(self.epochs_at(cell) for cell in cells))

    def epochs_at(self, cell: int) -> dict[int, int]:
        """The shards that may be published for at a cell, at this moment, each with its epoch."""
        return {shard: epoch for shard, epoch in self._epochs.items() if self.epoch(shard, cell) is not None}

    def wake(self) -> None:
        """Leases may have become free: beat at once."""
        self._wake.set()

    async def run(self) -> None:
        """Keep leases until cancelled; then give them up, so that nobody has to wait for their end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beats(), name="beats")
                tasks.create_task(self._takeovers(tasks), name="takeovers")
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
        self._debts.forget(some)
        if some:
            self._log.warning("leases_lost", shards=len(some), left=len(self._epochs))
            self._changed()

    async def _release(self, shards: Iterable[int]) -> None:
        """Give shards back; what is in flight where nobody answers is for whoever takes them, as what is owed is."""
        stuck = self._stuck()
        given = {shard: self._epochs.pop(shard) for shard in shards}
        owed = {
            shard: self._debts.of(shard).union(Owed(self._node, cell) for cell, some in stuck.items() if shard in some)
            for shard in given
        }
        self._debts.forget(given)
        self._draining -= given.keys()
        self._changed()
        await self._session.run(leases.give_back, self._node, given, owed)
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

    async def _takeovers(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                await self._take_over()
            except (PostbellError, TimeoutError, OSError) as error:
                self._log.warning("takeover_waits", reason=str(error) or type(error).__name__)
                await asyncio.sleep(BEAT_S)
                self._came.set()
            for cell in self._debts.cells:
                if cell not in self._paying:
                    self._paying[cell] = tasks.create_task(self._pay_at(cell), name=f"fences-{cell}")

    async def _take_over(self) -> None:
        """Have what was taken doubted, and serve it where nobody else can publish for it any more."""
        some = dict(self._pending)
        unclean = [shard for shard, taken in some.items() if not taken.clean]
        cells = await self._session.run(leases.cells)
        if unclean:
            await self._beside.run(waiting.doubt, unclean)
        ready = {shard for shard, taken in some.items() if self._pending.get(shard) == taken}  # else it was lost
        owed = {shard: owing.owed(some[shard].unfenced, cells, me=self._node) for shard in ready}
        for shard in ready:
            self._epochs[shard] = self._pending.pop(shard).epoch
            self._debts.add(shard, owed[shard])
        self._in_order = self._in_order.difference(unclean) | ready.difference(unclean)
        for cell in sorted(cells):
            free = frozenset(shard for shard in ready if not self._debts.bars(shard, cell))
            if free:
                self._serve(cell, free, fenced=())

    def _serve(self, cell: int, shards: frozenset[int], *, fenced: Iterable[str]) -> None:
        own = sum(not self._debts.bars(shard, cell) for shard in self._epochs)
        self._log.info("leases_served", shards=len(shards), fenced=sorted(fenced), own=own, cell=cell)
        self._changed()
        for some, in_order in ((shards & self._in_order, True), (shards - self._in_order, False)):
            if some:
                self._served(cell, some, in_order)

    async def _pay_at(self, cell: int) -> None:
        """Do the fences that are owed at a cell, as soon as its broker lets in whoever does them."""
        trouble = ""
        try:
            while at := self._debts.at(cell):
                try:
                    await self._pay(cell)
                except (PostbellError, TimeoutError, OSError) as error:
                    reason = str(error) or type(error).__name__
                    if reason != trouble:
                        self._log.warning("fence_waits", cell=cell, shards=len(at), reason=reason)
                    trouble = reason
                    await asyncio.sleep(BEAT_S)
        finally:
            del self._paying[cell]

    async def _pay(self, cell: int) -> None:
        if cell not in await self._session.run(leases.cells):
            self._debts.drop(cell)
            return
        at = self._debts.at(cell)  # as it is now: what was lost meanwhile is owed by somebody else
        if not at:
            return
        nodes = frozenset[str]().union(*at.values())
        epochs = {shard: self._epochs[shard] for shard in at}
        await asyncio.gather(*(self._fence(cell, node) for node in sorted(nodes)))
        async with self._noting:
            left = {shard: {each for each in self._debts.of(shard) if each.cell != cell} for shard in epochs}
            ours = await self._session.run(leases.note_owed, self._node, epochs, left)
            still = {shard: at[shard] for shard in ours if self._epochs.get(shard) == epochs[shard]}
            served = self._debts.pay(cell, still)
        if served:
            self._serve(cell, served, fenced=nodes)
        if len(still) < len(at):  # the next beat says whose they are
            await asyncio.sleep(BEAT_S)

    async def _leave(self) -> None:
        mine = self._mine()
        self._debts.forget(mine)
        self._epochs.clear()
        self._pending.clear()
        leaving = asyncio.ensure_future(self._session.run(leases.leave, self._node, mine))
        await asyncio.wait({leaving}, timeout=LEAVE_S)  # wait_for of Python 3.11 does not do in a task that ends
        if not leaving.done() or isinstance(leaving.exception(), StoreUnavailableError):
            leaving.cancel()
            self._log.warning("leases_not_given_up", reason="the database does not answer")
