"""Cells at a real PostgreSQL: whose rows are taken at which broker, beside a backlog and in any order."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from bridge.box.live_set import Retention
from bridge.cells import Cell
from bridge.contract.publication import Kind, Publication
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.reconcile import Observed
from bridge.shards import waiting
from bridge.shards.plan import shard_of
from bridge.shards.rows import SharedRows
from bridge.shards.truth import SharedTruth
from bridge.store import cells, logins, marks, offline, pairing, people, placing
from bridge.store.store import Store
from tests.support.shared_store import SharedStore

NOW_MS = 1_780_000_000_000
EAST = Cell(cell_id=0, name="east", url="mqtt://192.0.2.2:1883", logins_for="mosquitto")
pytestmark = pytest.mark.timeout(120)


class Leased:
    """A keeper that serves what the test says at each cell."""

    def __init__(self, store, *shards):
        self.barred = set()
        self.epochs = dict.fromkeys(shards, 1)
        store.rows(
            "UPDATE lease SET owner = 'a', epoch = 1, expires = clock_timestamp() + interval '1 h'"
            " WHERE shard = ANY(?::smallint[]) RETURNING shard",
            list(shards),
        )

    def epochs_at(self, cell):
        return {shard: epoch for shard, epoch in self.epochs.items() if (shard, cell) not in self.barred}

    def epoch(self, shard, cell=0):
        return self.epochs_at(cell).get(shard)


class Scene:
    """alice is at the first cell and bob at east; one bridge has both."""

    def __init__(self, url):
        self.url, self.look = url, SharedStore(url)
        self.store = Store(
            url, now_ms=lambda: NOW_MS, retention=Retention(count=10, days=7), changed=lambda _news: None
        )
        self.now = 100.0
        self.ids = dict(self.look.rows('SELECT name, user_id FROM "user"'))
        self.keeper: Any = Leased(self.look, *range(64))
        self.rows = [self.at(cell) for cell in (0, 1)]

    def at(self, cell):
        return SharedRows(
            self.store,
            keeper=self.keeper,
            node="a",
            days=7,
            now_ms=lambda: NOW_MS,
            monotonic=lambda: self.now,
            cell=cell,
        )

    async def topics(self, cell):
        rows = self.rows[cell]
        found = await rows.take_messages(limit=100, busy=()) + await rows.take_views(limit=100, busy=())
        return {each.topic for each in found}

    async def views(self, user, *kinds):
        await self.store.write(marks.views, self.ids[user], user, [kind.value for kind in kinds])

    def change(self, *operations):
        with offline.transaction(self.url, now_ms=NOW_MS, count=100, days=7) as transaction:
            return [operation(transaction) for operation in operations][-1]

    def look_at(self, looking, *arguments, **options):
        with offline.reading(self.url) as connection:
            return looking(connection, *arguments, **options)

    def new_mail(self, user, number):
        self.look.rows(
            "INSERT INTO message (user_id, number, size, header, message_id, digest, waits)"
            " VALUES (?, ?, 1, ''::bytea, '', ''::bytea, 1) RETURNING number",
            self.ids[user],
            number,
        )


def on_scene(test):
    @functools.wraps(test)
    def run(postgres):
        database.prepare(postgres)
        with offline.transaction(postgres, now_ms=NOW_MS, count=10, days=7) as transaction:
            people.add_user(transaction, "alice", ["alice@example.org"])
            cells.add(transaction, EAST)
            people.add_user(transaction, "bob", ["bob@example.org"])

        async def story():
            scene = Scene(postgres)
            scene.look.rows("DELETE FROM outbox RETURNING path")
            try:
                await test(scene)
            finally:
                await scene.store.close()

        asyncio.run(story())

    del run.__wrapped__
    return run


@on_scene
async def test_each_broker_is_told_of_its_own_users(scene):
    for user in ("alice", "bob"):
        await scene.views(user, Kind.BOX)
        scene.new_mail(user, 7)
    assert await scene.topics(0) == {"alice/box", "alice/msg/000000007"}
    assert await scene.topics(1) == {"bob/box", "bob/msg/000000007"}
    truths = [SharedTruth(scene.store, rows) for rows in scene.rows]
    assert [await truth.waiting_messages() for truth in truths] == [1, 1]
    some: dict[str, Any] = {"after": "", "limit": 10, "live": 100, "each": 1}
    assert [await truth.names(**some) for truth in truths] == [["alice"], ["bob"]]
    assert await truths[1].strangers(["alice", "bob", "x"]) == ["alice", "x"]


@on_scene
async def test_where_a_fence_is_owed_nothing_is_taken_and_at_the_other_cell_it_is(scene):
    scene.keeper.barred = {(shard_of(scene.ids["bob"]), 1), (shard_of(scene.ids["alice"]), 1)}
    for user in ("alice", "bob"):
        await scene.views(user, Kind.BOX)
    assert await scene.topics(0) == {"alice/box"}
    assert await scene.topics(1) == set()
    [found] = await scene.rows[0].take_views(limit=9, busy=())
    assert scene.rows[0].may_send(found)
    assert not scene.rows[1].may_send(found)


@on_scene
async def test_what_is_committed_late_is_found_although_later_places_were_seen(scene):
    """A transaction that has its place waits with COMMIT for as long as it likes, as one does for its standby."""
    late = connecting.connect(scene.url, name="late")
    late.begin()
    late.execute(
        "INSERT INTO outbox (path, kind, user_id, number) VALUES ('bob/msg/000000001', 'msg', ?, 1)",
        (scene.ids["bob"],),
    )
    for step in range(5):
        await scene.views("alice", Kind.BOX)
        assert await scene.topics(1) == set(), step
        scene.now += 2
    since = scene.rows[1]._since
    assert (since.marked, since.noted is not None) == (0, True)
    late.commit()
    late.close()
    assert await scene.topics(1) == {"bob/msg/000000001"}
    assert await scene.topics(1) == {"bob/msg/000000001"}, "until it is settled"


@on_scene
async def test_the_backlog_of_another_cell_is_walked_once(scene):
    """PostgreSQL's own count of the rows that it read, since a cell that is away may have some 100,000."""

    def mark(first):
        scene.look.rows(
            "INSERT INTO outbox (path, kind, user_id, number) SELECT 'bob/msg/' || n, 'msg', ?, n"
            " FROM generate_series(?::bigint, ?::bigint) n RETURNING path",
            scene.ids["bob"],
            first,
            first + 2999,
        )

    def begun():
        since = scene.rows[0]._since
        return since.marked, since.new, since.views

    mark(0)
    for _ in range(5):
        assert await scene.topics(0) == set()
        scene.now += 2
    [(last,)] = scene.look.rows("SELECT max(seq) FROM outbox")
    assert begun() == (last + 1,) * 3
    await scene.views("alice", Kind.BOX)
    mark(3000)
    scene.new_mail("alice", 5)
    for _ in range(5):
        assert await scene.topics(0) == {"alice/box", "alice/msg/000000005"}, "until it is settled"
        scene.now += 2
    places = dict(scene.look.rows("SELECT path, seq FROM outbox WHERE path = 'alice/box'"))
    assert begun()[2] == places["alice/box"], "the walk begins with the first of its own"


@on_scene
async def test_who_moves_brings_rows_that_are_older(scene):
    scene.new_mail("bob", 3)
    for _ in range(5):
        await scene.views("alice", Kind.BOX)
        await scene.topics(0)
        scene.now += 2
    scene.change(lambda t: cells.move(t, "bob", "main"))
    assert {"bob/msg/000000003", "bob/box"} <= await scene.topics(0)
    assert await scene.topics(1) == set()


@on_scene
async def test_a_shard_that_is_taken_over_brings_older_ones_too(scene):
    shard = shard_of(scene.ids["bob"])
    del scene.keeper.epochs[shard]
    await scene.views("bob", Kind.BOX)
    for _ in range(5):
        assert await scene.topics(1) == set()
        scene.now += 2
    scene.keeper.epochs[shard] = 1
    assert await scene.topics(1) == {"bob/box"}


@on_scene
async def test_now_and_then_a_walk_begins_at_the_start(scene):
    for _ in range(5):
        await scene.topics(1)
        scene.now += 2
    scene.look.rows(
        "INSERT INTO outbox (path, kind, user_id, number, seq) VALUES ('bob/box', 'box', ?, 0, 0) RETURNING path",
        scene.ids["bob"],
    )
    assert await scene.topics(1) == set(), "a place that was taken, and of whose transaction nobody knew"
    scene.now += 601
    assert await scene.topics(1) == {"bob/box"}


@on_scene
async def test_what_is_cleared_of_a_user_elsewhere_is_for_who_publishes_for_them(scene):
    scene.change(lambda t: cells.move(t, "bob", "main"))
    assert [(each.name, each.cell_id, each.user_id) for each in scene.look_at(placing.leaving)] == [
        ("bob", 1, scene.ids["bob"])
    ]
    truth = SharedTruth(scene.store, scene.rows[1])
    seen = Observed(frozenset({"bob", "x"}), {"bob/box": 1, "x/box": 2}, frozenset(), NOW_MS, 7.0, 1)
    assert (await truth.repair(seen)).stale == 2
    rows = scene.look.rows("SELECT path, user_id, number FROM outbox WHERE kind = 'stray' ORDER BY path")
    assert rows == [("#1/bob/box", scene.ids["bob"], 1), ("#1/x/box", 0, 1)]
    found = await scene.rows[1].take_messages(limit=9, busy=())
    assert {(each.topic, each.payload) for each in found} == {("bob/box", b""), ("x/box", b"")}
    scene.change(lambda t: cells.move(t, "bob", "east"))
    assert scene.look.rows("SELECT path FROM outbox WHERE kind = 'stray'") == [("#1/x/box",)], "it is theirs again"


@on_scene
async def test_what_was_sent_late_is_marked_again_where_it_was(scene):
    await scene.rows[1].settle([Publication("#1/x/box", "x/box", b"", True, Kind.STRAY, 0, 1, 1, epoch=7)])
    assert scene.look.rows("SELECT path, kind, user_id, number FROM outbox") == [("#1/x/box", "stray", 0, 1)]


@on_scene
async def test_what_the_old_broker_acknowledges_settles_nothing(scene):
    await scene.views("bob", Kind.TEXT)
    rows = await scene.rows[1].take_views(limit=9, busy=())
    scene.change(lambda t: cells.move(t, "bob", "main"))
    await scene.rows[1].settle(rows)
    assert scene.look.rows("SELECT text_held FROM \"user\" WHERE name = 'bob'") == [(None,)]
    assert scene.look.rows("SELECT path FROM outbox WHERE path = 'bob/text'") == [("bob/text",)]


@on_scene
async def test_at_each_cell_all_bridges_are_let_in_and_its_own_users(scene):
    scene.change(
        lambda t: pairing.add_device(t, "alice", "phone"),
        lambda t: pairing.add_device(t, "bob", "phone"),
        lambda t: logins.admit_bridge(t, "bridge-a", "word", node="a"),
        lambda t: logins.admit_bridge(t, "bridge-b", "word", node="b"),
    )
    at = {cell: [each.username for each in scene.look_at(logins.list_at, cell, bridges=True)] for cell in (0, 1)}
    assert at == {0: ["alice.phone", "bridge-a", "bridge-b"], 1: ["bob.phone", "bridge-a", "bridge-b"]}


@on_scene
async def test_fences_that_are_owed_are_doubted_once_for_all_cells(scene):
    scene.new_mail("bob", 3)
    await scene.topics(1)
    connection = connecting.connect(scene.url, name="test")
    waiting.doubt(connection, [shard_of(scene.ids["bob"])])
    connection.close()
    assert scene.look.rows("SELECT held FROM message") == [(1,)]
