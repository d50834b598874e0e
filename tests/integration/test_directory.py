"""The directory: who is looked up is kept in mind as long as nobody changes, and the store is asked for nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from bridge.daemon import directory_cache
from bridge.daemon.directory_cache import DirectoryCache
from bridge.directory import User, resolve
from bridge.errors import MalformedAddressError, UnknownUserError
from bridge.store import database, offline, people, registered
from bridge.store.registered import StoredBook
from tests.support.book import Book
from tests.support.stored import COUNT, DAYS, NOON_MS, storing

PAIRS = [
    ("alice@example.org", "alice"),
    ("Bob.Smith@example.org", "bob"),
    ("bob.Smith@example.org", "carol"),
    ("shop+alice@example.org", "carol"),
    ("zoë@bücher.example", "alice"),
    ('"a@b"@example.net', "bob"),
    ("@example.com", "bob"),
]


def changed(path, change, *arguments):
    """A change of people, as a command makes it."""
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        return change(transaction, *arguments)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "postbell.db"
    for name in ("alice", "bob", "carol"):
        changed(path, people.add_user, name, [address for address, owner in PAIRS if owner == name])
    return path


@pytest.mark.parametrize(
    "address",
    ["alice@example.org", "ALICE+x@example.org", "BOB.SMITH@example.org", "Bob.Smith@EXAMPLE.org", "who@example.com",
     "shop+alice@example.org", "ZOË@BÜCHER.EXAMPLE", '"A@B"@example.net', "postmaster", "postmaster@example.net",
     "postmaster@xn--bcher-kva.example", "postmaster@example", "who@example.org", "alice=example.org@postbell.invalid"],
)  # fmt: skip
def test_a_database_says_the_same_as_any_book(path, address):
    with offline.reading(path) as connection:
        stored = StoredBook(connection)
        users = [User(*row) for row in connection.execute("SELECT user_id, name FROM user ORDER BY user_id")]
        assert users == [stored.named(name) for name in ("alice", "bob", "carol")]
        ids = {user.name: user.user_id for user in users}
        rows = connection.execute("SELECT address, user_id FROM address").fetchall()
        assert len(rows) == len(PAIRS)
        assert {user_id for _, user_id in rows} == set(ids.values())
        said: list[object] = []
        for book in (stored, Book(users, rows)):
            try:
                said.append(resolve(address, book))
            except UnknownUserError as error:
                said.append(str(error))
        assert said[0] == said[1]


def test_who_registered_postmaster_has_it_and_the_doctors_users_never_do(tmp_path):
    path = tmp_path / "postbell.db"
    changed(path, people.add_probe, "postbell-doctor-x")
    with offline.reading(path) as connection, pytest.raises(UnknownUserError):
        registered.resolve(connection, "postmaster")
    changed(path, people.add_user, "alice", ["alice@example.org"])
    changed(path, people.add_user, "bob", ["PostMaster@example.net"])
    with offline.reading(path) as connection:
        assert registered.resolve(connection, "postmaster").found.user == "bob"
        assert registered.resolve(connection, "postmaster@example.org").found.user == "bob"


def test_names_come_some_at_a_time_and_strangers_are_told_from_users(path):
    with offline.reading(path) as connection:
        assert registered.names(connection, after="", limit=2, live=9) == ["alice", "bob"]
        assert registered.names(connection, after="bob", limit=2, live=9) == ["carol"]
        assert registered.names(connection, after="carol", limit=2, live=9) == []
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        transaction.connection.execute("UPDATE user SET live = 20 WHERE name = 'bob'")
    with offline.reading(path) as connection:
        assert registered.names(connection, after="", limit=9, live=22, each=1) == ["alice", "bob"]
        assert registered.names(connection, after="", limit=9, live=21, each=1) == ["alice"]
        assert registered.names(connection, after="alice", limit=9, live=3, each=1) == ["bob"], "one at least"
        assert registered.strangers(connection, {"eve", "bob", "dan"}) == ["dan", "eve"]


def looking(path, story):
    """Run a story with a directory, the number of times that it asked the store, and of changes that it told."""

    async def run():
        async with storing(path) as store:
            asked, told, read = [], [], store.read

            async def counted(look, *arguments, **options):
                if look is not people.revision:
                    asked.append(arguments)
                return await read(look, *arguments, **options)

            store.read = counted
            directory = DirectoryCache(store=store, place=path.parent, changed=lambda: told.append(True))
            await directory.look()
            await story(directory, asked, told)

    asyncio.run(run())


def test_who_was_looked_up_is_known_at_once(path):
    async def story(directory, asked, told):
        assert directory.known("alice@example.org") is None
        found = await directory.resolve("alice@example.org")
        assert found.user == "alice"
        assert directory.known("alice@example.org") is found
        assert await directory.resolve("alice@example.org") is found
        assert (await directory.named("bob")).name == "bob"
        assert (await directory.named("bob")).name == "bob"
        assert asked == [("alice@example.org",), ("bob",)]
        await directory.look()
        assert len(told) == 1, "nothing has changed"

    looking(path, story)


def test_a_change_of_anybody_has_all_looked_up_anew(path):
    async def story(directory, _, told):
        await directory.resolve("alice@example.org")
        await directory.named("alice")
        await asyncio.to_thread(changed, path, people.remove_user, "alice")
        await directory.look()
        assert len(told) == 2
        assert directory.known("alice@example.org") is None
        assert await directory.named("alice") is None
        with pytest.raises(UnknownUserError):
            await directory.resolve("alice@example.org")

    looking(path, story)


def test_who_was_just_added_gets_mail_before_anybody_looked(path):
    async def story(directory, *_):
        with pytest.raises(UnknownUserError):
            await directory.resolve("dora@example.org")
        await asyncio.to_thread(changed, path, people.add_user, "dora", ["dora@example.org"])
        assert (await directory.resolve("dora@example.org")).user == "dora"
        assert directory.known("dora@example.org") is None, "it is not known yet up to when that holds"
        assert (await directory.named("dora")).name == "dora"
        await directory.look()
        await directory.resolve("dora@example.org")
        assert directory.known("dora@example.org") is not None

    looking(path, story)


def test_strangers_are_not_kept_and_of_others_a_bounded_number(path, monkeypatch):
    monkeypatch.setattr(directory_cache, "KEPT", 2)

    async def story(directory, *_):
        for number in range(5):
            with pytest.raises(UnknownUserError):
                await directory.resolve(f"stranger{number}@example.org")
            with pytest.raises(MalformedAddressError):
                await directory.resolve(f"{number}")
            assert await directory.named(f"stranger{number}") is None
        first, second, third = "alice@example.org", "alice+x@example.org", "alice+y@example.org"
        await directory.resolve(first)
        await directory.resolve(second)
        assert directory.known(first)
        await directory.resolve(third)
        assert [bool(directory.known(each)) for each in (first, second, third)] == [True, False, True]

    looking(path, story)


def test_an_address_book_costs_the_same_with_very_many_users(tmp_path):
    """In steps of SQLite, which do not depend on the machine."""
    steps = []
    for users in (10, 3000):
        path = tmp_path / f"{users}.db"
        with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
            for user in range(users):
                people.add_user(transaction, f"u{user}", [f"u{user}@example.org"])
        connection, taken = database.connect(path), Counter()
        connection.set_progress_handler(partial(taken.update, ["steps"]), 1)
        for address in ("u7@example.org", "U7+x@example.org", "postmaster@example.org", "postmaster"):
            registered.resolve(connection, address)
        with pytest.raises(UnknownUserError):
            registered.resolve(connection, "nobody+x@example.org")
        registered.named(connection, "u7")
        connection.close()
        steps.append(taken.total())
    assert steps[1] <= steps[0] + 10
