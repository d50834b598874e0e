"""Being woken by other bridges, and work that is for one of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.daemon.sharing import FIRST, Sharing
from bridge.errors import LinkDownError, StoreUnavailableError
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.shards import leases, names, waking
from bridge.shards.waking import Waking
from bridge.store.postgres import MARKED
from tests.support import UNUSED
from tests.support.waiting import until_on_loop

pytestmark = pytest.mark.timeout(120)


def tell(url, channel, payload=""):
    connection = connecting.connect(url, name="tell")
    connection.execute("SELECT pg_notify(?, ?)", (channel, payload))
    connection.close()


def drop(url):
    """End every session that listens."""
    connection = connecting.connect(url, name="drop")
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%waking'")
    connection.close()


def test_it_hears_of_shards_and_of_leases_and_listens_again_when_its_session_ended(postgres, monkeypatch):
    monkeypatch.setattr(waking, "AGAIN_S", 0.05)
    marked, freed, fails = [], [], [True]

    def connect():
        if fails:
            fails.pop()
            raise StoreUnavailableError("not yet")
        return connecting.connect(postgres, name="a waking")

    async def story():
        heard = Waking(connect, channel=MARKED, marked=marked.append, freed=lambda: freed.append(True))
        task = asyncio.create_task(heard.run())
        await until_on_loop(lambda: marked == [None], what="to listen")
        assert len(freed) == 1
        tell(postgres, MARKED, "3,17")
        await until_on_loop(lambda: marked[-1] == {3, 17}, what="what was marked")
        tell(postgres, leases.CHANNEL)
        await until_on_loop(lambda: len(freed) == 2, what="what was freed")
        drop(postgres)
        await until_on_loop(lambda: marked[-1] is None, what="to listen again, and to look at all that may be")
        tell(postgres, MARKED, "odd,5")
        await until_on_loop(lambda: marked[-1] == {5}, what="what was marked behind that")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())


class Looked:
    """A replay that notes for which shards it was asked, and fails as it is told."""

    def __init__(self):
        self.shards, self.fails = [], []

    async def run(self, _connection, *, shards, strangers):
        assert not strangers, "there is but one broker"
        self.shards.append(shards)
        if self.fails:
            raise self.fails.pop()


class Circuit:
    """What a bridge does at one broker, as far as sharing asks it."""

    def __init__(self, *, up, woken, answered):
        self._up, self._woken, self._answered = up, woken, answered

    @property
    def up(self):
        return self._up()

    key = 0

    def in_flight(self):
        return []

    def wake(self):
        self._woken.append(True)

    async def taken_over(self, shards, *, in_order):
        self._answered.append((len(shards), in_order))


@asynccontextmanager
async def shared(url, *, connected=lambda: True):
    woken, answered = [], []
    circuits: Any = [Circuit(up=connected, woken=woken, answered=answered)]

    async def fence(_cell, _node):
        pass

    sharing = Sharing(
        url,
        node="a",
        fence=fence,
        circuits=lambda: circuits,
        told=lambda _: None,
        actions=dict,
        wake=lambda: None,
        changed=lambda: None,
        monotonic=asyncio.get_running_loop().time,
    )
    await sharing.claim()
    task = asyncio.create_task(sharing.run())
    try:
        yield sharing, woken, answered
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sharing.close()


def on_loop(story):
    def test(postgres, monkeypatch):
        database.prepare(postgres)
        asyncio.run(story(postgres, monkeypatch))

    test.__name__ = story.__name__
    return test


@on_loop
async def test_what_is_in_flight_at_a_cell_that_is_away_keeps_no_shard(url, *_):
    async with shared(url) as (sharing, *_):
        there, away = sharing._circuits()[0], Circuit(up=lambda: False, woken=[], answered=[])
        there.in_flight = lambda: [SimpleNamespace(user_id=5)]
        away.key, away.in_flight = 1, lambda: [SimpleNamespace(user_id=64 + 7)]
        assert (sharing._busy(), sharing._stuck()) == ({5}, {})
        sharing._circuits = lambda: [there, away]
        assert (sharing._busy(), sharing._stuck()) == ({5}, {1: {7}})


@on_loop
async def test_what_is_for_one_is_done_while_it_is_for_this_one(url, *_):
    began, ended = [], []

    async def work():
        began.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    connected = [True]
    async with shared(url, connected=lambda: bool(connected)) as (sharing, woken, answered):
        doing = asyncio.create_task(sharing.while_first(work))
        await until_on_loop(lambda: began, what="to be the first")
        await until_on_loop(lambda: answered == [(64, True)], what="kept requests to be looked at")
        assert sharing.keeper.serves(FIRST)
        woken.clear()
        await until_on_loop(lambda: woken, what="a beat, or to be told")
        connected.clear()
        await until_on_loop(lambda: ended, what="to leave it to others without a broker")
        assert not sharing.first
        connected.append(True)
        await until_on_loop(lambda: len(began) == 2, what="to be the first again")
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
    assert len(ended) == 2


@on_loop
async def test_only_what_is_owned_wakes(url, *_):
    async with shared(url) as (sharing, woken, _answered):
        await until_on_loop(lambda: len(sharing.keeper.epochs) == 64, what="all shards")
        woken.clear()
        sharing._marked(frozenset({70}))
        assert woken == []
        sharing._marked(frozenset({70, 7}))
        assert woken == [True]


@on_loop
async def test_after_a_takeover_it_is_looked_twice_and_what_fails_ends_nothing(url, monkeypatch):
    monkeypatch.setattr("bridge.daemon.sharing.LOOK_AGAIN_S", 0.01)
    replay = Looked()
    async with shared(url) as (sharing, _woken, _answered):
        await until_on_loop(lambda: len(sharing.keeper.epochs) == 64, what="all shards")
        looking = asyncio.create_task(sharing.look_after(UNUSED, replay, cell=0))
        await until_on_loop(lambda: len(replay.shards) == 1, what="a look at what was given")
        replay.fails += [TimeoutError()]
        sharing._served(0, frozenset({1}), False)
        await until_on_loop(lambda: replay.shards[1:] == [{1}, {1}], what="two looks at what was taken over")
        replay.fails += [LinkDownError("gone")]
        sharing._served(0, frozenset({2}), False)
        await until_on_loop(lambda: replay.shards[3:] == [{2}], what="a look that ends with its connection")
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


@on_loop
async def test_it_ends_although_the_database_does_not_answer(url, monkeypatch):
    monkeypatch.setattr("bridge.shards.keeper.LEAVE_S", 0.05)
    async with shared(url) as (sharing, _woken, _answered):
        await until_on_loop(lambda: len(sharing.keeper.epochs) == 64, what="all shards")
        blocking = connecting.connect(url, name="blocks")
        blocking.begin()
        blocking.execute("SELECT 1 FROM lease FOR UPDATE")
    blocking.close()


@on_loop
async def test_what_ends_by_itself_is_not_begun_again(url, *_):
    began = []

    async def work():
        began.append(True)

    async with shared(url) as (sharing, _woken, _answered):
        await sharing.while_first(work)
    assert began == [True]


@on_loop
async def test_a_name_that_a_former_session_has_still_is_waited_for(url, monkeypatch):
    """Whoever has it once was let in: the database may not know yet that the session before is over."""

    def taken(*_arguments):
        raise names.NodeTakenError("another bridge")

    async with shared(url) as (sharing, _woken, _answered):
        await until_on_loop(lambda: len(sharing.keeper.epochs) == 64, what="all shards")
        monkeypatch.setattr(names, "take", taken)
        await sharing._thread.run(lambda connection: connection.close())
        sharing._thread._connection = None
        with pytest.raises(StoreUnavailableError, match="still"):
            await sharing._thread.run(lambda connection: connection)
        monkeypatch.undo()


@on_loop
async def test_a_name_that_another_has_is_refused_at_the_start(url, monkeypatch):
    def taken(*_arguments):
        raise names.NodeTakenError("another bridge")

    monkeypatch.setattr(names, "take", taken)
    with pytest.raises(names.NodeTakenError):
        async with shared(url):
            pytest.fail("it was let in")
