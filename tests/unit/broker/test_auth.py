"""Logins: looked up as they come, followed as they change, and never read as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import threading

import pytest

from broker import auth, commits, loginreader
from broker.acl import Identity, Role
from broker.auth import Logins
from broker.credentials import LoginTable
from broker.errors import LoginsUnavailableError
from broker.loginreader import LoginNews, LoginReader
from tests.support.mqtt_broker import LoginTable as WrittenTable
from tests.support.mqtt_broker import password_of

NEVER = 3600.0


def in_loop(test):
    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


@contextlib.asynccontextmanager
async def following(reader, told=None, concerned=tuple):
    """Logins that look once now, and then only when somebody needs it; `told` gets each table."""
    told = [] if told is None else told
    logins = Logins(reader, on_change=told.append, concerned=concerned, poll_s=NEVER)
    await logins.refresh()
    try:
        yield logins
    finally:
        reader.close()


async def check(logins, username, password):
    return await asyncio.wait_for(logins.check(username, password, barred=False), 60)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "postbell.db"


@pytest.fixture
def written(path):
    table = WrittenTable(path)
    table.add("alice.phone")
    yield table
    table.close()


@in_loop
async def test_a_login_that_was_just_added_gets_in_at_once(path, written):
    async with following(LoginReader(path)) as logins:
        written.add("alice.watch")
        grant = await check(logins, "alice.watch", password_of("alice.watch"))
        assert grant is not None
        assert grant.who == Identity("alice.watch", Role.DEVICE)
        assert logins.stands(grant)
        written.add("alice.watch", password="another")
        assert await check(logins, "alice.watch", "another") is not None
        assert await check(logins, "alice.watch", password_of("alice.watch")) is None
        assert not logins.stands(grant)


@in_loop
async def test_a_change_is_noticed_though_nobody_asks(tmp_path, path, written, monkeypatch):
    monkeypatch.setattr(commits, "SETTLES_S", 0.0)
    monkeypatch.setattr(commits, "BEAT_S", NEVER)
    reader, told = LoginReader(path), asyncio.Queue()
    logins = Logins(reader, on_change=told.put_nowait, concerned=lambda: ["alice.phone"], place=tmp_path, poll_s=NEVER)
    task = asyncio.create_task(logins.follow())
    assert len(await asyncio.wait_for(told.get(), 60)) == 1
    for number in range(100):  # the first may be written before anybody watches
        written.add(f"alice.watch{number}")
        with contextlib.suppress(TimeoutError):
            assert f"alice.watch{number}" in (await asyncio.wait_for(told.get(), 1)).asked
            break
    else:
        pytest.fail("nobody noticed")
    task.cancel()
    await asyncio.wait([task])
    reader.close()


@in_loop
async def test_whoever_has_something_here_is_told_of_first_and_then_who_changed(path, written):
    written.add("bob.phone")
    told = []
    async with following(LoginReader(path), told, lambda: ["alice.phone", "carol.phone"]) as logins:
        assert [(table.asked, table.gone) for table in told] == [({"alice.phone", "carol.phone"}, {"carol.phone"})]
        grant = await check(logins, "alice.phone", password_of("alice.phone"))
        written.rehash("bob.phone", "another")
        written.add("dora.phone")
        await logins.refresh()
        assert (told[1].asked, told[1].gone) == ({"bob.phone", "dora.phone"}, frozenset())
        assert logins.stands(grant)
        written.remove("alice.phone")
        written.add("dora.phone", label="second")
        await logins.refresh()
        assert (told[2].asked, told[2].gone) == ({"alice.phone", "carol.phone", "dora.phone"}, told[0].asked)
        assert not logins.stands(grant)
        assert await check(logins, "alice.phone", password_of("alice.phone")) is None
        await logins.refresh()
        assert len(told) == 3


@in_loop
async def test_one_of_two_ways_in_that_goes_is_told_of_by_name(path, written):
    written.add("alice.phone", label="second", password="second")
    told = []
    async with following(LoginReader(path), told) as logins:
        first = await check(logins, "alice.phone", password_of("alice.phone"))
        second = await check(logins, "alice.phone", "second")
        written.remove("alice.phone", label="second")
        await logins.refresh()
        assert (told[1].asked, told[1].gone) == ({"alice.phone"}, frozenset())
        assert logins.stands(first)
        assert not logins.stands(second)


@in_loop
async def test_a_change_that_could_not_be_read_is_not_lost(path, written, monkeypatch):
    told, reader = [], LoginReader(path)
    async with following(reader, told, lambda: ["alice.phone"]) as logins:
        written.remove("alice.phone")
        with monkeypatch.context() as patch:
            patch.setattr(reader, "gone", lambda _: (_ for _ in ()).throw(sqlite3.OperationalError("busy")))
            await logins.refresh()
        assert len(told) == 1
        await logins.refresh()
        assert told[1].gone == {"alice.phone"}


def test_nothing_is_noted_of_whoever_is_gone(path, written):
    written.add("alice.phone", label="second")
    written.remove("alice.phone", label="second")
    written.remove("alice.phone")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert {name for (name,) in connection.execute("SELECT username FROM changed_login")} == {""}


@in_loop
async def test_of_more_changes_than_are_noted_all_who_are_here_are_told_of(path, written):
    told, here = [], ["alice.phone"]
    async with following(LoginReader(path), told, lambda: here) as logins:
        before = await check(logins, "alice.phone", password_of("alice.phone"))
        for number in range(1001):
            written.rehash("alice.phone", f"{number}")
        here.append("bob.phone")
        assert logins.stands(before)
        await logins.refresh()
        assert told[-1].asked == {"alice.phone", "bob.phone"}
        assert not logins.stands(before)
        assert await check(logins, "alice.phone", "1000") is not None


@in_loop
async def test_a_table_in_the_place_of_another_is_read_anew(path, written):
    told = []
    async with following(LoginReader(path), told, lambda: ["alice.phone"]) as logins:
        grant = await check(logins, "alice.phone", password_of("alice.phone"))
        written.close()
        for file in path.parent.glob("postbell.db*"):
            file.unlink()
        WrittenTable(path).close()
        await logins.refresh()
        assert told[-1].gone == {"alice.phone"}
        assert not logins.stands(grant)


@in_loop
async def test_the_first_client_of_a_new_store_gets_in_behind_what_was_there(path):
    told = []
    async with following(LoginReader(path), told, lambda: ["bob.phone"]) as logins:
        with pytest.raises(LoginsUnavailableError):
            await check(logins, "alice.phone", password_of("alice.phone"))
        written = WrittenTable(path)
        written.add("alice.phone")
        assert told == []
        assert await check(logins, "alice.phone", password_of("alice.phone")) is not None
        assert [table.gone for table in told] == [{"bob.phone"}], "sessions of before are put back first"
        written.close()


@pytest.mark.usefixtures("written")
@in_loop
async def test_who_was_here_of_late_gets_in_though_the_table_cannot_be_read(path):
    async with following(LoginReader(path)) as logins:
        assert await check(logins, "alice.phone", password_of("alice.phone")) is not None
        path.rename(path.with_name("away.db"))
        assert await check(logins, "alice.phone", password_of("alice.phone")) is not None
        with pytest.raises(LoginsUnavailableError):
            await check(logins, "alice.phone", "wrong")
        with pytest.raises(LoginsUnavailableError):
            await check(logins, "alice.watch", "whatever")
        await logins.refresh()
        path.with_name("away.db").rename(path)
        assert await check(logins, "alice.phone", "wrong") is None


@in_loop
async def test_only_so_many_are_kept_in_mind_and_no_strangers(path, written, monkeypatch, statements):
    monkeypatch.setattr(auth, "_KEPT", 2)
    usernames = [f"bob.phone{number}" for number in range(3)]
    written.add_many(usernames)
    async with following(LoginReader(path)) as logins:
        for username in usernames:
            assert await check(logins, username, password_of(username)) is not None
        for number in range(10):
            assert await check(logins, f"stranger.phone{number}", "x") is None
        statements.clear()
        for username in usernames[1:]:
            assert await check(logins, username, password_of(username)) is not None
        assert statements == []
        assert await check(logins, usernames[0], password_of(usernames[0])) is not None
        assert statements != []


@pytest.fixture
def statements(monkeypatch):
    """All SQL that the reader runs."""
    heard, connect = [], sqlite3.connect

    def traced(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.set_trace_callback(heard.append)
        return connection

    monkeypatch.setattr("broker.loginreader.sqlite3.connect", traced)
    return heard


def test_mail_makes_nobody_read_the_logins_again(path, written, statements):
    reader = LoginReader(path)
    assert reader.news() is not None
    statements.clear()
    for _ in range(1000):
        written.take_in_mail(1)
        assert reader.news() is None
    assert sum("revision" in statement for statement in statements) == 1000
    assert not [statement for statement in statements if "login " in statement]
    reader.close()


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("query", [loginreader.CHANGED, loginreader.LOGINS, loginreader.GONE, loginreader.REVISION])
def test_nothing_walks_through_all_logins(path, query):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        values = (None,) * query.count("?")
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step], plan


def change_by_adding(written):
    written.add("alice.phone", label="second")


def change_by_replacing(written):
    written.add("alice.phone", password="another")


def change_by_removing(written):
    written.remove("alice.phone")


def change_in_place(written):
    written.rehash("alice.phone", "another")


@pytest.mark.parametrize("change", [change_by_adding, change_by_replacing, change_by_removing, change_in_place])
def test_every_change_of_a_login_is_read_at_the_next_look(path, written, change):
    reader = LoginReader(path)
    assert reader.news().table is None
    _, before = reader.read(["alice.phone"])
    written.take_in_mail(1)
    change(written)
    news = reader.news()
    after = news.table
    assert news.removed or after.credentials("alice.phone") != before.credentials("alice.phone")
    assert len(after.asked) == (0 if news.removed else 1)
    assert reader.news() is None
    reader.close()


class SlowReader:
    """A reader whose looks wait until they are let go."""

    def __init__(self):
        self.looks = []
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def news(self):
        return LoginNews(1, LoginTable([]))

    def read(self, usernames):
        self.looks.append(set(usernames))
        self.began.release()
        assert self.go_on.acquire(timeout=60)
        return 1, LoginTable([], asked=usernames)

    def doubt(self):
        pass

    def close(self):
        pass


@in_loop
async def test_all_who_are_refused_share_one_look():
    reader = SlowReader()
    async with following(reader) as logins:
        first = asyncio.create_task(check(logins, "alice.phone", "wrong"))
        assert await asyncio.to_thread(reader.began.acquire, timeout=60)
        late = [asyncio.create_task(check(logins, f"alice.{number % 2}", "wrong")) for number in range(200)]
        await asyncio.sleep(0)
        reader.go_on.release(2)
        assert await asyncio.gather(first, *late) == [None] * 201
        assert reader.looks == [{"alice.phone"}, {"alice.0", "alice.1"}]


@pytest.mark.usefixtures("written")
@in_loop
async def test_what_was_read_before_a_change_is_read_again(path):
    """The change is noticed while a look-up that began before it is on its way."""
    reader = LoginReader(path)
    async with following(reader) as logins:
        looks = []

        def read(usernames):
            found = LoginReader.read(reader, usernames)
            looks.append(found[0])
            if len(looks) == 1:
                table = WrittenTable(path)  # SQLite has one for each thread
                table.rehash("alice.phone", "another")
                table.close()
                asyncio.run_coroutine_threadsafe(logins.refresh(), loop).result(60)
            return found

        loop, reader.read = asyncio.get_running_loop(), read
        assert await check(logins, "alice.phone", password_of("alice.phone")) is None
        assert len(looks) >= 2
        assert looks[1] > looks[0]
        assert await check(logins, "alice.phone", "another") is not None
