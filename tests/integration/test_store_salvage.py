"""A damaged database: what can be read of it is saved, and the broker is brought up to date with that."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.store import database, offline, pairing
from bridge.store.salvage import salvage
from tests.support.stored import COUNT, DAYS, NOON_MS, add_user, header, mail, to, told

MAILS = 400
PAGE = 4096


@pytest.fixture
def path(tmp_path):
    """A database with two users, a device, and mail of several hundred pages."""
    path = tmp_path / "postbell.db"
    users = [to(add_user(path, name), name) for name in ("alice", "bob")]
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        pairing.add_device(transaction, "alice", "phone")

    async def story(store):
        await asyncio.gather(
            *(store.keep(mail(*users, text=f"{n} " * 900), header(f"{n}"), message_id=f"<{n}>") for n in range(MAILS))
        )

    told(path, story)
    return path


def pages_of(path, table):
    """The numbers of the pages that hold a table's leaves, from first to last."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,))
    pages = [row[0] for row in rows]
    connection.close()
    return pages


def damage(path, pages):
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xa5" * PAGE)
    with pytest.raises(StoreCorruptError, match="postbell salvage"):
        database.prepare(path, check=True)


def count(path, table):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()


def leaves_of(path, table):
    try:
        return pages_of(path, table)
    except sqlite3.OperationalError:
        pytest.skip("this SQLite has no dbstat table to find pages with")


@pytest.mark.parametrize("table", ["message", "body"])
def test_a_damaged_page_costs_its_own_rows_and_no_others(path, table):
    leaves = leaves_of(path, table)
    damage(path, [leaves[len(leaves) // 2]])
    saved = salvage(path)
    assert saved.damaged == (table,)
    assert saved.rows["user"] == 2
    assert saved.rows["device"] == saved.rows["login"] == 1
    whole = {"message": 2 * MAILS, "body": MAILS}[table]
    assert whole * 0.8 < saved.rows[table] < whole
    database.prepare(path, check=True)
    assert count(path, table) == saved.rows[table]
    assert saved.kept_as.read_bytes()[:15] == b"SQLite format 3"


def test_what_was_saved_works_on_and_copies_are_still_known(path):
    leaves = leaves_of(path, "message")
    damage(path, [leaves[len(leaves) // 2]])
    salvage(path)

    async def story(store):
        alice = await store.directory.resolve("alice@example.org")
        await store.refresh_all()
        assert await store.live_count() == 2 * COUNT
        last = mail(alice, text=f"{MAILS - 1} " * 900)
        [copy] = await store.keep(last, header(), message_id=f"<{MAILS - 1}>")
        assert copy.copy_of_known
        [fresh] = await store.keep(mail(alice, text="new"), header(), message_id="")
        assert fresh.number > copy.number

    told(path, story)


def test_a_sound_database_is_copied_whole(path):
    before = {table: count(path, table) for table in ("user", "address", "device", "login", "message", "body")}
    saved = salvage(path)
    assert saved.damaged == ()
    assert {table: saved.rows[table] for table in before} == before


def test_the_damaged_file_of_an_earlier_time_is_not_overwritten(path):
    assert salvage(path).kept_as.name == "postbell.db.damaged-1"
    assert salvage(path).kept_as.name == "postbell.db.damaged-2"


def test_messages_of_a_user_who_is_lost_are_not_given_to_anybody(path):
    damage(path, leaves_of(path, "address"))
    saved = salvage(path)
    assert saved.rows["address"] == 0
    assert saved.rows["user"] == 2


def test_nothing_is_exchanged_when_nothing_can_be_read(path):
    path.write_bytes(b"\xa5" * 40 * PAGE)
    with pytest.raises(StoreCorruptError):
        salvage(path)
    assert path.read_bytes() == b"\xa5" * 40 * PAGE
    assert {file.name for file in path.parent.iterdir()} == {path.name}


def test_without_a_database_there_is_nothing_to_save(tmp_path):
    with pytest.raises(StoreUnavailableError, match="no database"):
        salvage(tmp_path / "postbell.db")
