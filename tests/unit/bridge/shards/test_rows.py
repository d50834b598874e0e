"""Where walks for one cell begin, when users move and shards come while one is under way."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridge.shards import taking
from bridge.shards.rows import SharedRows
from bridge.store.stretch import Moment, Stretch
from tests.support.waiting import until_on_loop


class Stored:
    """Nothing waits there; `begun` says where walks began. Each is held up until `go` is set."""

    def __init__(self):
        self.begun: list[Any] = []
        self.moves, self.each_moves = 1, 0
        self.go = asyncio.Event()
        self.go.set()

    async def read(self, look, **options):
        first = options.get("marked", options.get("views"))
        if look is taking.waiting_messages_at:
            return 0
        self.begun.append(first)
        self.moves += self.each_moves
        moves = self.moves
        await self.go.wait()
        return Stretch(found=[], began=Moment(last=50, oldest=10, next_one=10, moves=moves)), 50


class Keeper:
    def __init__(self):
        self.shards = {1: 1}

    def epochs_at(self, _cell):
        return dict(self.shards)


class Scene:
    def __init__(self):
        self.now = 100.0
        self.stored, self.keeper = Stored(), Keeper()
        stored, keeper = cast("Any", self.stored), cast("Any", self.keeper)
        self.rows = SharedRows(stored, keeper=keeper, node="a", days=7, now_ms=int, monotonic=lambda: self.now, cell=1)

    async def take(self, what="take_messages"):
        return await getattr(self.rows, what)(limit=9, busy=())

    async def walk_on(self):
        for _ in range(5):
            for what in ("take_messages", "take_views"):
                await self.take(what)
            self.now += 2
        self.stored.begun.clear()


def test_a_walk_that_was_under_way_when_shards_came_does_not_say_where_theirs_begin():
    async def story():
        scene = Scene()
        await scene.walk_on()
        scene.stored.go.clear()
        under_way = asyncio.create_task(scene.take())
        await until_on_loop(lambda: scene.stored.begun, what="the walk to begin")
        scene.keeper.shards[2] = 1
        await scene.rows.waiting_messages()
        scene.stored.go.set()
        await under_way
        await scene.take()
        assert scene.stored.begun == [51, 0]

    asyncio.run(story())


@pytest.mark.parametrize("what", ["take_messages", "take_views"])
def test_while_users_move_without_end_a_walk_ends_all_the_same(what):
    async def story():
        scene = Scene()
        await scene.walk_on()
        scene.stored.each_moves = 1
        assert await asyncio.wait_for(scene.take(what), 30) == []
        assert scene.stored.begun == [51, 0], "and the one from the start has all of them"
        await scene.take(what)
        assert scene.stored.begun == [51, 0, 0]

    asyncio.run(story())
