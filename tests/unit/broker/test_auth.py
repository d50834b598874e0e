"""Logins: a refusal looks once more, and a storm of refusals costs one look at a time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import threading

import pytest

from broker import commits
from broker.acl import Identity, Role
from broker.auth import LoginReader, Logins, LoginTable
from broker.errors import LoginsUnavailableError
from tests.support.mqtt_broker import LoginTable as WrittenTable
from tests.support.mqtt_broker import password_of

NEVER = 3600.0


def in_loop(test):
    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


@contextlib.asynccontextmanager
async def following(reader, told=None):
    """Logins that look once now, and then only when somebody needs it; `told` gets each table."""
    logins = Logins(reader, on_change=[].append if told is None else told.append, poll_s=NEVER)
    await logins.refresh()
    task = asyncio.create_task(logins.follow())
    try:
        yield logins
    finally:
        task.cancel()
        await asyncio.wait([task])
        reader.close()


async def check(logins, username, password):
    return await asyncio.wait_for(logins.check(username, password, barred=False), 10)


@in_loop
async def test_a_login_that_was_just_added_gets_in_at_once(tmp_path):
    written = WrittenTable(tmp_path / "postbell.db")
    written.add("alice.phone")
    told = []
    async with following(LoginReader(tmp_path / "postbell.db"), told) as logins:
        told.clear()
        written.add("alice.watch")
        grant = await check(logins, "alice.watch", password_of("alice.watch"))
        assert grant is not None
        assert grant.who == Identity("alice.watch", Role.DEVICE)
        assert told == [logins.table]
        written.add("alice.watch", password="another")
        assert await check(logins, "alice.watch", "another") is not None
        assert await check(logins, "alice.watch", password_of("alice.watch")) is None
        written.close()


@in_loop
async def test_a_change_is_noticed_though_nobody_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(commits, "SETTLES_S", 0.0)
    monkeypatch.setattr(commits, "BEAT_S", NEVER)
    written = WrittenTable(tmp_path / "postbell.db")
    written.add("alice.phone")
    reader, told = LoginReader(tmp_path / "postbell.db"), asyncio.Queue()
    logins = Logins(reader, on_change=told.put_nowait, place=tmp_path, poll_s=NEVER)
    task = asyncio.create_task(logins.follow())
    assert len(await asyncio.wait_for(told.get(), 60)) == 1
    for number in range(100):  # the first may be written before anybody watches
        written.add(f"alice.watch{number}")
        with contextlib.suppress(TimeoutError):
            assert len(await asyncio.wait_for(told.get(), 1)) > 1
            break
    else:
        pytest.fail("nobody noticed")
    task.cancel()
    await asyncio.wait([task])
    reader.close()
    written.close()


@in_loop
async def test_a_refusal_notices_a_revocation_as_well(tmp_path):
    written = WrittenTable(tmp_path / "postbell.db")
    written.add("alice.phone")
    told = []
    async with following(LoginReader(tmp_path / "postbell.db"), told) as logins:
        told.clear()
        written.remove("alice.phone")
        assert await check(logins, "alice.phone", "wrong") is None
        assert told[-1].identities() == []
        written.close()


@in_loop
async def test_the_first_client_of_a_new_store_gets_in(tmp_path):
    async with following(LoginReader(tmp_path / "postbell.db")) as logins:
        with pytest.raises(LoginsUnavailableError):
            await check(logins, "alice.phone", password_of("alice.phone"))
        written = WrittenTable(tmp_path / "postbell.db")
        written.add("alice.phone")
        assert await check(logins, "alice.phone", password_of("alice.phone")) is not None
        written.close()


@pytest.fixture
def statements(monkeypatch):
    """All SQL that the reader runs."""
    heard, connect = [], sqlite3.connect

    def traced(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.set_trace_callback(heard.append)
        return connection

    monkeypatch.setattr("broker.auth.sqlite3.connect", traced)
    return heard


def test_mail_makes_nobody_read_the_logins_again(tmp_path, statements):
    written = WrittenTable(tmp_path / "postbell.db")
    written.add("alice.phone")
    reader = LoginReader(tmp_path / "postbell.db")
    assert len(reader.read() or ()) == 1
    statements.clear()
    for _ in range(1000):
        written.take_in_mail(1)
        assert reader.read() is None
    assert sum("revision" in statement for statement in statements) == 1000
    assert not [statement for statement in statements if "FROM login" in statement]
    written.close()
    reader.close()


def change_by_adding(written):
    written.add("bob.phone")


def change_by_replacing(written):
    written.add("alice.phone", password="another")


def change_by_removing(written):
    written.remove("alice.phone")


def change_in_place(written):
    written.rehash("alice.phone", "another")


@pytest.mark.parametrize("change", [change_by_adding, change_by_replacing, change_by_removing, change_in_place])
def test_every_change_of_a_login_is_read_at_the_next_look(tmp_path, change):
    written = WrittenTable(tmp_path / "postbell.db")
    written.add("alice.phone")
    reader = LoginReader(tmp_path / "postbell.db")
    before = reader.read().credentials("alice.phone")
    written.take_in_mail(1)
    change(written)
    after = reader.read()
    assert after is not None
    assert after.credentials("alice.phone") != before or after.credentials("bob.phone")
    assert reader.read() is None
    written.close()
    reader.close()


class SlowReader:
    """A reader whose looks wait until they are let go."""

    def __init__(self):
        self.looks = 0
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(1)  # the first look, before anybody follows

    def read(self):
        self.looks += 1
        self.began.release()
        assert self.go_on.acquire(timeout=10)
        return LoginTable([]) if self.looks == 1 else None

    def close(self):
        pass

    async def begun(self, looks):
        while self.looks < looks:
            assert await asyncio.to_thread(self.began.acquire, timeout=10)


@in_loop
async def test_all_who_are_refused_share_one_look():
    reader = SlowReader()
    async with following(reader) as logins:
        await reader.begun(2)
        first = asyncio.create_task(check(logins, "alice.phone", "wrong"))
        await asyncio.sleep(0)  # it asks while the second look runs, so it needs the third
        reader.go_on.release()
        await reader.begun(3)
        late = [asyncio.create_task(check(logins, "alice.phone", "wrong")) for _ in range(200)]
        await asyncio.sleep(0)
        reader.go_on.release(2)
        assert await asyncio.gather(first, *late) == [None] * 201
        assert reader.looks == 4
