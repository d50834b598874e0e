"""Leases at a real PostgreSQL: who owns a shard when bridges come, go, stop and come back."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from bridge.errors import RefusedError, StoreUnavailableError
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.shards import leases, names
from bridge.shards.database_thread import DatabaseThread
from bridge.shards.keeper import LeaseKeeper
from bridge.shards.names import NodeTakenError
from bridge.shards.plan import LEASE_S, SHARDS
from tests.support.waiting import until_on_loop


def on_loop(test):
    @functools.wraps(test)
    def run(*arguments, **options):
        asyncio.run(test(*arguments, **options))

    return run


@pytest.fixture
def url(postgres):
    database.prepare(postgres)
    return postgres


def session_of(url, node):
    def connect():
        connection = connecting.connect(url, name=f"{node} leases", patience_s=LEASE_S)
        names.take(connection, node)
        return connection

    return DatabaseThread(connect, url=url, name=f"{node}-leases")


class Bridge:
    """A keeper and what it was told to do."""

    def __init__(self, url, node):
        self.node = node
        self.session = session_of(url, node)
        self.fenced, self.served = [], set()
        self.refuses, self.busy, self.able, self.away = False, frozenset(), True, set()
        self.stuck: dict[int, frozenset[int]] = {}
        self.offset = 0.0
        self.keeper = LeaseKeeper(
            node=node,
            session=self.session,
            beside=self.session,
            fence=self.fence,
            able=lambda: self.able,
            busy=lambda: self.busy,
            stuck=lambda: self.stuck,
            changed=lambda: None,
            served=lambda _cell, shards, in_order: None if in_order else self.served.update(shards),
            monotonic=lambda: time.monotonic() + self.offset,
        )
        self.task: Any = None

    async def fence(self, cell, other):
        if self.refuses or cell in self.away:
            raise RefusedError("not let in")
        self.fenced.append(other if cell == 0 else f"{other}@{cell}")

    def start(self):
        self.task = asyncio.create_task(self.keeper.run())

    def owns(self):
        return len(self.keeper.epochs)

    async def stop(self):
        """In order: leases are given up."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.session.close()

    async def kill(self):
        """As by kill -9: the session is gone, and nothing was said."""
        self.keeper._leave = lambda: asyncio.sleep(0)
        await self.stop()


@asynccontextmanager
async def bridges(url, *nodes):
    running = [Bridge(url, node) for node in nodes]
    for each in running:
        each.start()
    try:
        yield running
    finally:
        for each in running:
            if not each.task.done():
                await each.stop()


def rows(url, query, *values):
    connection = connecting.connect(url, name="look")
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def row(url, shard=0):
    return rows(url, "SELECT owner, epoch, taken, unfenced FROM lease WHERE shard = ?", shard)[0]


def may_be_on_its_way(url, shard):
    """A message that waits for the broker, and may have been handed to it."""
    rows(url, "INSERT INTO \"user\" (user_id, name, views, created_ms) VALUES (?, 'x', '', 0) RETURNING 1", 64 + shard)
    rows(
        url,
        "INSERT INTO message (user_id, number, size, header, message_id, digest, waits)"
        " VALUES (?, 1, 1, ''::bytea, '', ''::bytea, 1) RETURNING 1",
        64 + shard,
    )
    rows(url, "UPDATE lease SET taken = 1000 WHERE shard = ? RETURNING 1", shard)


@on_loop
async def test_two_bridges_share_and_whoever_is_left_has_all(url):
    async with bridges(url, "a") as [a]:
        await until_on_loop(lambda: a.owns() == SHARDS, what="the only one to have all")
        assert a.fenced == []
        async with bridges(url, "b") as [b]:
            await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
            assert not a.keeper.epochs.keys() & b.keeper.epochs.keys()
            assert (b.fenced, b.served) == ([], set())  # they were given back with nothing in flight
            its = set(b.keeper.epochs)
        await until_on_loop(lambda: a.owns() == SHARDS, what="all to be back")
        assert a.fenced == ["b"]  # it may have had something in flight
        assert a.served == its


@on_loop
async def test_who_is_killed_is_taken_over_by_one_who_fences(url):
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
        its = dict(a.keeper.epochs)
        may_be_on_its_way(url, min(its))
        await a.kill()
        await until_on_loop(lambda: b.owns() == SHARDS, what="b to have all")
        assert b.fenced == ["a"]
        assert rows(url, "SELECT held FROM message") == [(1,)]
        assert b.served == set(its)
        assert all(b.keeper.epochs[shard] > epoch for shard, epoch in its.items())
        assert row(url, min(its))[3] == []


@on_loop
async def test_until_it_has_fenced_it_serves_nothing_and_the_next_one_fences_both(url):
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
        its = min(a.keeper.epochs)
        b.refuses = True
        await a.kill()
        await until_on_loop(lambda: row(url, its)[0] == "b", what="b to take what a had")
        assert b.owns() == 32
        assert row(url, its)[3] == ["a"]
        async with bridges(url, "c") as [c]:
            await b.kill()
            await until_on_loop(lambda: c.owns() == SHARDS, what="c to have all")
            assert set(c.fenced) == {"a", "b"}


@on_loop
async def test_a_stopped_one_serves_nothing_when_it_wakes_and_takes_nothing_back(url):
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
        a.task.cancel()
        a.keeper._leave = lambda: asyncio.sleep(0)
        await asyncio.wait({a.task})  # its session stands, it says nothing: as by SIGSTOP
        its = dict(a.keeper._epochs)
        await until_on_loop(lambda: b.owns() == SHARDS, what="b to have all")
        assert a.keeper.epochs == {}  # by its own clock
        assert not a.keeper.serves(min(its))
        del a.keeper._leave
        a.start()
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half again")
        assert all(a.keeper.epochs[shard] > its.get(shard, 0) for shard in a.keeper.epochs)


@on_loop
async def test_what_a_predecessor_of_the_same_name_had_is_not_kept_alive_for_nobody(url):
    async with bridges(url, "a") as [a]:
        await until_on_loop(lambda: a.owns() == SHARDS, what="all")
        before = row(url)[1]
        await a.kill()
        async with bridges(url, "a") as [again]:
            await until_on_loop(lambda: again.owns() == SHARDS, what="all again")
            assert row(url)[1] == before + 1
            assert again.fenced == []  # its own connection took the place of the earlier one's
            assert again.served == set(range(SHARDS))  # and what that had in flight is doubted


@on_loop
async def test_renewing_by_name_alone_is_found(url, monkeypatch):
    """The defect of a first version: what restarts keeps alive what it had before, and serves it to nobody."""
    by_name = leases.RENEW.replace("lease.epoch = mine.epoch", "true").replace("lease.shard = mine.shard", "true")
    monkeypatch.setattr(leases, "RENEW", by_name)
    monkeypatch.setattr("bridge.shards.plan._is_free", lambda lease, *_: lease.owner is None)
    async with bridges(url, "a") as [a]:
        await until_on_loop(lambda: a.owns() == SHARDS, what="all")
        await a.kill()
        session = session_of(url, "a")
        found, _nodes = await session.run(leases.renew, "a", {SHARDS: 1})
        await session.close()
        assert all(lease.left_s > LEASE_S - 1 for lease in found)  # for whoever comes


@on_loop
async def test_with_something_in_flight_nothing_is_given_back(url):
    async with bridges(url, "a") as [a]:
        await until_on_loop(lambda: a.owns() == SHARDS, what="all")
        a.busy = frozenset({63})
        async with bridges(url, "b") as [b]:
            await until_on_loop(lambda: b.owns() == 31, what="what has drained")
            assert a.keeper.epoch(63) is None
            assert a.keeper.serves(63)  # it still answers
            a.busy = frozenset()
            await until_on_loop(lambda: b.owns() == 32, what="the rest")


@on_loop
async def test_who_cannot_publish_leaves_it_to_others_until_it_can(url):
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
        its = set(a.keeper.epochs)
        a.able = False
        await until_on_loop(lambda: b.owns() == SHARDS, what="b to have all")
        assert (b.fenced, b.served) == (["a"], its)
        assert a.keeper.epochs == {}
        a.able = True
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half again")


@on_loop
async def test_who_was_stopped_within_a_transaction_holds_nobody_up_for_long(url):
    """It has lease rows locked, so that nobody takes them: the database ends its session."""
    stopped = connecting.connect(url, name="stopped writer")
    stopped.begin()
    stopped.execute("SELECT 1 FROM lease WHERE shard < 32 FOR SHARE").fetchall()
    async with bridges(url, "a") as [a]:
        await until_on_loop(lambda: a.owns() == 32, what="what is not locked")
        await until_on_loop(lambda: a.owns() == SHARDS, what="what was")
    stopped.close()


@on_loop
async def test_nor_who_was_stopped_within_a_pipeline(url):
    """The database waits for the rest of it, without a limit: whoever takes over ends that session, and no other."""
    rows(url, "UPDATE lease SET owner = 'gone', expires = clock_timestamp() WHERE shard < 40 RETURNING 1")
    stopped, idle = (connecting.connect(url, name=f"gone {which}") for which in ("writer", "reader"))
    other = connecting.connect(url, name="gone-on writer")
    other.begin()
    other.execute("SELECT 1 FROM lease WHERE shard = 63 FOR SHARE").fetchall()
    with pytest.raises(psycopg.OperationalError), stopped.raw.pipeline():  # noqa: PT012 - the loss shows at its end
        for statement in ("BEGIN", "SELECT 1 FROM lease WHERE shard < 32 FOR UPDATE"):
            stopped.raw.execute(statement)
        stopped.raw.pgconn.send_flush_request()
        stopped.raw.pgconn.flush()
        async with bridges(url, "a") as [a]:
            await until_on_loop(lambda: a.owns() == SHARDS - 1, what="what is not locked by others")
    assert idle.execute("SELECT 1").fetchall() == [(1,)]
    other.rollback()
    for each in (stopped, idle, other):
        each.close()


@on_loop
async def test_a_second_bridge_of_one_name_is_refused(url, monkeypatch):
    monkeypatch.setattr(names.take, "__kwdefaults__", {"patience_s": 0.3})
    first, second = session_of(url, "a"), session_of(url, "a")
    await first.run(lambda connection: connection.execute("SELECT 1"))
    with pytest.raises(NodeTakenError, match="node = 'a': another bridge at this database has that name"):
        await second.run(lambda connection: connection.execute("SELECT 1"))
    await first.close()
    await second.run(lambda connection: connection.execute("SELECT 1"))
    await second.close()


@on_loop
async def test_while_the_database_is_away_it_serves_for_as_long_as_its_leases_last(url, monkeypatch):
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")

        def gone(*_arguments, **_options):
            raise StoreUnavailableError("gone")

        with monkeypatch.context() as patched:
            patched.setattr(leases, "renew", gone)
            assert (a.owns(), b.owns()) == (32, 32)
            a.offset = b.offset = LEASE_S
            assert (a.owns(), b.owns()) == (0, 0)
            for each in (a, b):
                await until_on_loop(lambda: each.keeper._judges_at > 0, what="a beat that fails")  # noqa: B023
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have its half again")
        assert a.fenced == b.fenced == []


def add_cell(url, number):
    rows(url, "INSERT INTO cell (cell_id, name, url) VALUES (?, ?, 'mqtt://x') RETURNING 1", number, f"cell-{number}")


@on_loop
async def test_a_cell_that_is_away_keeps_no_other_waiting_and_its_fences_are_owed(url):
    add_cell(url, 1)
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
        its = min(a.keeper.epochs)
        b.away = {1}
        await a.kill()
        await until_on_loop(lambda: b.owns() == SHARDS, what="b to have all at the first cell")
        assert (b.fenced, len(b.keeper.epochs_at(1))) == (["a"], 32)
        assert (len(b.keeper.everywhere([0])), len(b.keeper.everywhere([0, 1]))) == (SHARDS, 32)
        assert b.keeper.epoch(its) is not None
        assert (b.keeper.epoch(its, 1), b.keeper.serves(its, 1), b.keeper.owns(its)) == (None, False, True)
        assert row(url, its)[3] == ["a@1"]
        b.away.clear()
        await until_on_loop(lambda: len(b.keeper.epochs_at(1)) == SHARDS, what="b to have all there, too")
        assert (b.fenced, row(url, its)[3]) == (["a", "a@1"], [])
        assert len(b.keeper.everywhere([0, 1])) == SHARDS


@on_loop
async def test_who_takes_over_from_one_that_owes_owes_it_too_and_a_cell_that_is_no_more_is_owed_nothing(url):
    for cell in (1, 2):
        add_cell(url, cell)
    async with bridges(url, "a", "b") as [a, b]:
        await until_on_loop(lambda: (a.owns(), b.owns()) == (32, 32), what="each to have half")
        its = min(a.keeper.epochs)
        b.away = {1, 2}
        await a.kill()
        await until_on_loop(lambda: b.owns() == SHARDS, what="b to have all at the first cell")
        async with bridges(url, "c") as [c]:
            c.away = {2}
            await b.kill()
            await until_on_loop(lambda: len(c.keeper.epochs_at(1)) == SHARDS, what="c to have all at the other cell")
            assert {"a@1", "b@1", "b"} <= set(c.fenced)
            assert "a" not in c.fenced, "that one was closed at the first cell"
            assert set(row(url, its)[3]) == {"a@2", "b@2"}
            assert c.keeper.epoch(its, 2) is None
            rows(url, "DELETE FROM cell WHERE cell_id = 2 RETURNING 1")
            await until_on_loop(lambda: len(c.keeper.epochs_at(2)) == SHARDS, what="nothing to be owed")


@on_loop
async def test_what_is_in_flight_at_a_cell_that_is_away_is_for_whoever_gets_the_shard(url):
    add_cell(url, 1)
    async with bridges(url, "a") as [a]:
        await until_on_loop(lambda: a.owns() == SHARDS, what="the only one to have all")
        may_be_on_its_way(url, 63)
        a.stuck = {1: frozenset({63})}
        async with bridges(url, "b") as [b]:
            await until_on_loop(lambda: b.owns() == 32, what="b to have its share")
            assert 63 in b.keeper.epochs
            await until_on_loop(lambda: b.keeper.serves(63, 1), what="a to be fenced there")
            assert b.fenced == ["a@1"]
            assert b.served == {63}
            assert rows(url, "SELECT held FROM message") == [(1,)]
