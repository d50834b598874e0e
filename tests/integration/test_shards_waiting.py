"""What waits, at a real PostgreSQL: marks on disk before it goes out, late settling, doubt at a takeover."""

from __future__ import annotations

import asyncio
import functools
import time
from dataclasses import replace
from typing import Any

import pytest

from bridge.box.live_set import Retention
from bridge.contract.publication import Kind, Publication
from bridge.postgres import database
from bridge.shards import waiting
from bridge.shards.plan import shard_of
from bridge.shards.rows import SharedRows
from bridge.shards.truth import SharedTruth
from bridge.store import marks, offline, people
from bridge.store.store import Store
from tests.support import UNUSED
from tests.support.shared_store import SharedStore

NOW_MS = 1_780_000_000_000


class Leased:
    """A keeper that has what the test says, in the database as well."""

    def __init__(self, node, store):
        self.node, self.store, self.epochs = node, store, {}

    def epoch(self, shard, _cell=0):
        return self.epochs.get(shard)

    def epochs_at(self, _cell):
        return dict(self.epochs)

    def take(self, *shards, epoch):
        self.epochs |= dict.fromkeys(shards, epoch)
        self.store.rows(
            "UPDATE lease SET owner = ?, epoch = ?, expires = clock_timestamp() + interval '1 h'"
            " WHERE shard = ANY(?::smallint[]) RETURNING shard",
            self.node,
            epoch,
            list(shards),
        )


class Scene:
    """One store, and the rows of bridge `a`, which owns the shard of alice and not that of bob."""

    def __init__(self, url):
        self.look = SharedStore(url)
        self.store = Store(
            url, now_ms=lambda: NOW_MS, retention=Retention(count=10, days=7), changed=lambda _news: None
        )
        self.keeper = Leased("a", self.look)
        self.ids = dict(self.look.rows('SELECT name, user_id FROM "user"'))
        self.keeper.take(shard_of(self.ids["alice"]), epoch=3)
        keeper: Any = self.keeper
        self.rows = SharedRows(
            self.store, keeper=keeper, node="a", days=7, now_ms=lambda: NOW_MS, monotonic=time.monotonic
        )

    async def take(self, *, views=False):
        if views:
            return await self.rows.take_views(limit=100, busy=())
        return await self.rows.take_messages(limit=100, busy=())

    def lease(self, user):
        [(taken, epoch)] = self.look.rows("SELECT taken, epoch FROM lease WHERE shard = ?", shard_of(self.ids[user]))
        return taken, epoch

    def waits(self):
        return sorted(path for (path,) in self.look.rows("SELECT path FROM outbox"))

    def insert(self, user, number, *, waits=0):
        """A message that is not live any more, so that a mark of it is about a tombstone."""
        self.look.rows(
            "INSERT INTO message (user_id, number, size, header, message_id, digest, waits)"
            " VALUES (?, ?, 1, ''::bytea, '', ''::bytea, ?) RETURNING number",
            self.ids[user],
            number,
            waits,
        )

    async def mark(self, user, kind, number=0):
        user_id = self.ids[user]
        if kind is Kind.MESSAGE:
            await self.store.write(marks.messages, user_id, user, [number])
        else:
            await self.store.write(marks.views, user_id, user, [kind.value])


def on_scene(test):
    @functools.wraps(test)
    def run(postgres):
        database.prepare(postgres)
        with offline.transaction(postgres, now_ms=NOW_MS, count=10, days=7) as transaction:
            for name in ("alice", "bob"):
                people.add_user(transaction, name, [f"{name}@example.org"])

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
async def test_only_what_is_owned_is_taken_and_it_is_on_disk_that_it_may_be_on_its_way(scene):
    for user in ("alice", "bob"):
        await scene.mark(user, Kind.BOX)
    found = await scene.take(views=True)
    assert [(each.path, each.epoch) for each in found] == [("alice/box", 3)]
    [(last,)] = scene.look.rows("SELECT max(seq) FROM outbox")
    assert scene.lease("alice")[0] >= last
    assert scene.lease("bob")[0] == 0
    taken = scene.lease("alice")[0]
    await scene.mark("alice", Kind.UNREAD)
    await scene.take(views=True)
    assert scene.lease("alice")[0] == taken  # it was far enough ahead


@on_scene
async def test_what_was_read_under_a_lease_that_is_lost_meanwhile_is_left_out(scene):
    await scene.mark("alice", Kind.BOX)
    Leased("b", scene.look).take(shard_of(scene.ids["alice"]), epoch=4)
    assert await scene.take(views=True) == []


@on_scene
async def test_without_a_lease_the_database_is_not_asked(scene):
    await scene.mark("alice", Kind.BOX)
    scene.keeper.epochs.clear()
    scene.rows._store = UNUSED
    assert await scene.take(views=True) == await scene.take() == []


@on_scene
async def test_it_may_be_sent_only_under_the_lease_at_which_it_was_read(scene):
    await scene.mark("alice", Kind.BOX)
    [found] = await scene.take(views=True)
    assert scene.rows.may_send(found)
    scene.keeper.epochs[shard_of(found.user_id)] += 1
    assert not scene.rows.may_send(found)


@on_scene
async def test_what_was_sent_under_the_lease_of_now_goes(scene):
    scene.insert("alice", 7)
    await scene.mark("alice", Kind.BOX)
    await scene.mark("alice", Kind.MESSAGE, 7)
    await scene.rows.settle([*await scene.take(views=True), *await scene.take()])
    assert scene.waits() == []


def late(scene, kind, path, number=0, *, needed=True):
    publication = Publication(path, path, b"", True, kind, scene.ids["alice"], number, 1, needed=needed, epoch=2)
    return publication if kind is not Kind.STRAY else replace(publication, user_id=0)


@on_scene
async def test_what_was_sent_under_an_earlier_one_is_marked_again(scene):
    scene.insert("alice", 7)
    scene.look.rows("UPDATE \"user\" SET text_held = 'x'::bytea RETURNING name")
    mail = "alice/msg/000000007"
    await scene.rows.settle(
        [
            late(scene, Kind.MESSAGE, mail, 7),
            late(scene, Kind.TEXT, "alice/text"),
            late(scene, Kind.BOX, "alice/box"),
            late(scene, Kind.STRAY, "alice/odd"),
            late(scene, Kind.EVENT, "alice/event/000000007", 7),
            late(scene, Kind.LAST, "alice/last", needed=False),
        ]
    )
    assert scene.waits() == ["alice/box", mail, "alice/odd", "alice/text"]
    assert scene.look.rows("SELECT held FROM message") == [(1,)]
    assert scene.look.rows("SELECT text_held FROM \"user\" WHERE name = 'alice'") == [(None,)]


@on_scene
async def test_what_may_have_been_on_its_way_is_doubted_at_a_takeover_and_nothing_else(scene):
    for user, number, waits in (("alice", 1, 1), ("alice", 2, 0), ("alice", 3, 0), ("bob", 4, 1)):
        scene.insert(user, number, waits=waits)
    await scene.mark("alice", Kind.MESSAGE, 2)
    await scene.mark("alice", Kind.TEXT)
    scene.look.rows("UPDATE \"user\" SET text_held = 'x'::bytea RETURNING name")
    await scene.take()
    scene.look.rows("UPDATE lease SET taken = (SELECT last_value FROM waiting) RETURNING shard")
    scene.insert("alice", 5, waits=1)  # it came behind what the mark says
    connection = scene.store._engine.connect()
    waiting.doubt(connection, [shard_of(scene.ids["alice"])])
    connection.close()
    assert dict(scene.look.rows("SELECT number, held FROM message")) == {1: 1, 2: 1, 3: 0, 4: 0, 5: 0}
    texts = dict(scene.look.rows('SELECT name, text_held FROM "user"'))
    assert texts["alice"] is None
    assert texts["bob"] is not None


@on_scene
async def test_what_was_in_flight_on_a_lost_connection_is_doubted_and_nothing_at_a_start(scene):
    scene.insert("alice", 7)
    flying = replace(late(scene, Kind.MESSAGE, "alice/msg/000000007", 7), payload=b"x")
    await scene.rows.doubt(None, limit=10)
    assert scene.look.rows("SELECT held FROM message") == [(0,)]
    await scene.rows.doubt([flying], limit=10)
    assert scene.look.rows("SELECT held FROM message") == [(1,)]


@on_scene
async def test_a_look_is_at_the_users_that_are_owned_or_at_some_of_them(scene):
    truth = SharedTruth(scene.store, scene.rows)
    some: dict[str, Any] = {"after": "", "limit": 10, "live": 100, "each": 1}
    assert await truth.names(**some) == ["alice"]
    assert await truth.names(**some, shards=[shard_of(scene.ids["bob"])]) == []
    scene.keeper.epochs[shard_of(scene.ids["bob"])] = 1
    assert await truth.names(**some) == ["alice", "bob"]
    assert await truth.names(**some, shards=[shard_of(scene.ids["bob"])]) == ["bob"]


pytestmark = pytest.mark.timeout(120)
