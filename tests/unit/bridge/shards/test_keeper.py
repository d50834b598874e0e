"""A lease that is lost while a fence of it is being paid: whoever has it now pays, and the bridge goes on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bridge.errors import RefusedError
from bridge.shards import leases
from bridge.shards.keeper import LeaseKeeper
from bridge.shards.leases import Taken
from bridge.shards.plan import SHARDS, Lease, Node
from tests.support.waiting import until_on_loop


class Database:
    """As far as a keeper asks: `a` had all leases, and from `lost` on `c` has them."""

    def __init__(self):
        self.lost, self.cells_asked = False, 0
        self.before_cells: Any = None

    async def run(self, work, *arguments, **_options):
        answers: dict[Any, Any] = {leases.renew: self.renew, leases.take: self.take, leases.cells: self.cells}
        return await answers[work](*arguments) if work in answers else None

    async def renew(self, node, mine):
        owner, left_s = ("c", 4.0) if self.lost else (node, 4.0) if mine else ("a", 0.0)
        epoch = max(mine.values(), default=1) + self.lost
        rows = [Lease(shard=shard, owner=owner, epoch=epoch, left_s=left_s) for shard in range(SHARDS)]
        return rows, [Node(name=node, silent_s=0.0, session=True)]

    async def take(self, _node, wanted):
        return {shard: Taken(epoch=2, unfenced=frozenset({"a"}), clean=False) for shard in wanted}

    async def cells(self):
        self.cells_asked += 1
        if self.before_cells is not None:
            await self.before_cells()
        return frozenset({0})


def test_a_lease_that_is_lost_while_its_fence_is_paid_ends_nothing():
    async def story():
        database, lost = Database(), asyncio.Event()

        async def fence(_cell, _node):
            raise RefusedError("not let in")

        keeper = LeaseKeeper(
            node="b",
            session=database,  # type: ignore[arg-type]
            beside=database,  # type: ignore[arg-type]
            fence=fence,
            able=lambda: True,
            busy=frozenset,
            changed=lost.set,
            served=lambda _cell, _shards, _in_order: None,
            monotonic=time.monotonic,
        )

        async def lose():
            """The beat learns of it while it is asked which cells there are."""
            if database.cells_asked > 1 and not database.lost:
                database.lost = True
                lost.clear()
                keeper.wake()
                await lost.wait()

        database.before_cells = lose
        running = asyncio.create_task(keeper.run())
        await until_on_loop(lambda: database.lost and lost.is_set(), what="the leases to be lost")
        await until_on_loop(lambda: running.done() or not keeper._paying, what="nothing to be paid any more")
        assert not running.done()
        assert not keeper.owns_any
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())
