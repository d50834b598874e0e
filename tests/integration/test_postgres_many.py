"""Where users are many in PostgreSQL: nothing is about all of them at once, and a start waits for none of them."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

import pytest

from bridge.box.live_set import Retention
from bridge.contract import ids
from bridge.errors import UnknownUserError
from bridge.postgres import connection as connecting
from bridge.postgres import database
from bridge.postgres.dialect import translated
from bridge.shards import course as shared_course
from bridge.shards.course import SharedCourse
from bridge.store import (
    adapters,
    amounts,
    bodies,
    counts,
    grouped_live,
    grouped_registered,
    live,
    messages,
    offline,
    pairing,
    people,
    portions,
    registered,
)
from tests.bench.many_shared_users import fill
from tests.support.stored import DAY_MS, Clock, rows, storing

USERS, MAILS = 3000, 3
PAGES = {
    "names of some shards": f"{grouped_registered._OF} ORDER BY name LIMIT 100",
    "names of some shards at a cell": f"{grouped_registered._AT_OF} ORDER BY name LIMIT 100",
    "of whom Home Assistant is told": pairing.DISCOVERED,
    "the last of some users": portions.LAST_OF,
    "who is over the quota": bodies.OVER_QUOTA,
    "who has something too old": live.CROSSED,
    "live sets that are not as they should be": grouped_live.DIFFERENT,
}


@pytest.fixture
def many(postgres):
    database.prepare(postgres)
    fill(postgres, USERS, MAILS)
    return postgres


@pytest.mark.parametrize("name", PAGES)
def test_no_page_of_users_is_found_by_a_walk(many, name):
    """As the planner sees it who knows no value, and walks where nothing else is left: a walk is cheap for so few."""
    text = translated(PAGES[name]).text
    places = text.count("%b")
    for number in range(1, places + 1):
        text = text.replace("%b", f"${number}", 1)
    with closing(connecting.connect(many, name="test")) as connection:
        for way in ("seqscan", "bitmapscan", "sort"):
            connection.execute(f"SET enable_{way} = off")
        connection.raw.execute(f"PREPARE asked AS {text}")
        values = ", ".join(["NULL"] * places)
        given = f"({values})" if places else ""
        plan = [row[0] for row in connection.raw.execute(f"EXPLAIN EXECUTE asked{given}").fetchall()]
    assert [row for row in plan if "Seq Scan on" in row] == [], plan
    assert "ARRAY" in PAGES[name] or not any("Sort" in row for row in plan), plan
    assert PAGES[name] != pairing.DISCOVERED or "user_discovered" in plan[0], plan


def test_counts_are_of_everybody_however_many_are_counted_at_a_time(many, monkeypatch):
    monkeypatch.setattr(portions, "AT_ONCE", 700)

    async def story():
        async with storing(many) as store:
            found = [among async for among in portions.everybody(store)]
            assert [behind for behind, _ in found] == [0, 700, 1400, 2100, 2800]
            assert found[-1][1] == portions.LAST_USER, "and whoever comes meanwhile"
            told = await counts.count(store)
            assert (told.users, told.devices, told.live) == (USERS, USERS, USERS * MAILS)
            full = [len(await store.read(messages.users_with, MAILS, among=among)) for among in found]
            assert sum(full) == USERS
            assert await store.read(amounts.of_users, among=(USERS, portions.LAST_USER)) == (0, 0)

    asyncio.run(story())


def test_names_of_shards_are_those_of_all(many):
    with closing(connecting.connect(many, name="test")) as connection:
        options: dict[str, Any] = {"after": "u2", "limit": 100, "live": 800, "each": 4}
        for shards in ([7, 40], range(64)):
            found = grouped_registered.names(connection, **options, shards=shards)
            assert found == registered.names(connection, **options, shards=shards)
            assert len(found) == 100 or len(shards) == 2
            at_cell = grouped_registered.names(connection, **options, shards=shards, cell=0)
            assert at_cell == found
        assert grouped_registered.names(connection, **options, shards=()) == []
        assert grouped_registered.names(connection, **options) == registered.names(connection, **options)


class Life:
    """The course of time in one of several bridges."""

    def __init__(self, store, clock):
        self.course = SharedCourse(store, days=store.retention.days, now_ms=clock.wall)
        self.expire = self.course.expire


def live_of(url):
    [(in_rows, counted)] = rows(url, 'SELECT (SELECT sum(live) FROM message), (SELECT sum(live) FROM "user")')
    assert in_rows == counted
    return in_rows


def test_other_settings_are_taken_up_some_users_after_the_others(many, monkeypatch):
    monkeypatch.setattr(shared_course, "COMPARED", 700)
    clock = Clock()
    clock.now_ms = newest_ms(many)

    async def story():
        async with storing(many, clock=clock, count=1000, days=7) as store:
            life = Life(store, clock)
            await life.course.take_up()
            assert await life.expire() == 0, "they were right, and nobody had said so"
            store.retention = Retention(2, 7)
            assert await life.expire() == USERS
            assert live_of(many) == 2 * USERS
            assert await life.expire() == 0
            store.retention = Retention(1000, 7)
            assert await life.expire() == USERS
            rows(many, "UPDATE message SET live = 0 WHERE user_id = 5 RETURNING 1")
            assert await life.expire() == 0, "nobody doubted it"
            await life.course.review()
            assert await life.expire() == 1
            assert live_of(many) == MAILS * USERS

    asyncio.run(story())


def test_what_another_bridge_doubts_is_worked_out_by_whoever_is_the_one(many, monkeypatch):
    """It had other settings until then, or another clock; also when all are being worked out at that moment."""
    monkeypatch.setattr(shared_course, "COMPARED", 700)
    clock = Clock()
    clock.now_ms = newest_ms(many)

    async def story():
        async with storing(many, clock=clock, count=1000, days=7) as store:
            one, other = Life(store, clock), Life(store, clock)
            await one.expire()
            spoil(5)
            await other.course.review()
            assert await one.expire() == 1
            await other.course.review()
            reading = store.read

            async def beside(look, *arguments, **options):
                if options.get("behind", 0) > 700 and look is grouped_live.different_of_some:
                    monkeypatch.setattr(store, "read", reading)
                    spoil(5)
                    await other.course.review()
                return await reading(look, *arguments, **options)

            monkeypatch.setattr(store, "read", beside)
            assert await one.expire() == 0, "that one was compared before"
            assert [await one.expire() for _ in range(2)] == [1, 0]
            assert live_of(many) == MAILS * USERS

    def spoil(user_id):
        rows(many, "UPDATE message SET live = 0 WHERE user_id = ? RETURNING 1", user_id)

    asyncio.run(story())


def newest_ms(url):

    [(number,)] = rows(url, "SELECT max(number) FROM message")
    return ids.received_ms(number)


def test_whoever_is_the_one_goes_on_where_the_one_before_was(many, monkeypatch):
    monkeypatch.setattr(adapters, "USERS_AT_ONCE", 1300)
    clock = Clock()
    clock.now_ms = newest_ms(many)

    async def story():
        async with storing(many, clock=clock, count=1000, days=7) as store:
            before = Life(store, clock)
            assert [await before.expire() for _ in range(2)] == [0, 0]
            clock.now_ms += 8 * DAY_MS
            after = Life(store, clock)  # it began when all was too old already
            assert await before.expire() == 0, "the round that had begun before"
            assert [await before.expire() for _ in range(2)] == [0, 1300]
            assert [await after.expire() for _ in range(3)] == [1300, 1300, 400], "from where it was noted, and on"
            assert live_of(many) == 0

    asyncio.run(story())


def test_whose_an_address_is_says_as_of_when(many):
    with offline.transaction(many, now_ms=0, count=1000, days=7) as transaction:
        people.add_user(transaction, "ada", ["Ada@example.net", "@example.com", "postmaster@example.net"])
    with closing(connecting.connect(many, name="test")) as connection:
        for address in ("ada@example.net", "Ada+tag@EXAMPLE.net", "x@example.com", "u7@example.org", "postmaster"):
            found = grouped_registered.resolve(connection, address)
            assert found == registered.resolve(connection, address)
            assert found.revision == people.revision(connection)
        for address in ("nobody@example.net", "u7@example.net"):
            with pytest.raises(UnknownUserError):
                grouped_registered.resolve(connection, address)
