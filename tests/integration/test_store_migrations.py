"""A database of each earlier schema, with rows in every table, becomes one of the newest and reads right.

`schemas/NNNN.sql` is what a Postbell with that many migrations left behind: `sqlite3 postbell.db .dump` with the two
pragmas in front. A new migration needs the next file, so that the one after it has something to begin with; those
that are there are never changed.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.contract import ids
from bridge.contract.header import unpack_header
from bridge.contract.publication import Kind
from bridge.errors import StoreUnavailableError
from bridge.kept import PushState
from bridge.rules.rules import Rules
from bridge.store import (
    bodies,
    copies,
    database,
    live,
    logins,
    messages,
    notifications,
    offline,
    outbox,
    pairing,
    people,
    registered,
    rules,
    snapshot,
    subscriptions,
)
from bridge.store import salvage as salvaging
from tests.support.stored import DAY_MS, NOON_MS, Clock, header, mail, to, told

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
NEWEST = len(list((Path(database.__file__).parent / "migrations").glob("*.sql")))
OLDEST_MAIL, SECOND, THIRD, NEWEST_MAIL = (ids.at(NOON_MS - days * DAY_MS) for days in (3, 2, 1, 0))


@pytest.fixture(params=SCHEMAS, ids=lambda file: file.stem)
def path(request, tmp_path):
    """A database as an earlier version left it, and its schema."""
    path = tmp_path / "postbell.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(request.param.read_text())
    return path


def looked_at(path, query):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def shape(path):
    """Tables with their columns, and the names of indices and triggers."""
    found = looked_at(path, "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    tables = {name: looked_at(path, f"PRAGMA table_info({name})") for kind, name in found if kind == "table"}
    columns = {name: sorted(column[1:] for column in each) for name, each in tables.items()}
    return columns, {entry for entry in found if entry[0] != "table"}


def test_every_schema_has_its_database():
    assert [file.stem for file in SCHEMAS] == [f"{number:04}" for number in range(1, NEWEST + 1)]


def test_every_table_has_rows(path):
    tables = [name for (name,) in looked_at(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert [name for name in tables if not looked_at(path, f"SELECT 1 FROM {name}")] == []


def test_it_becomes_the_newest_and_loses_nothing(path, tmp_path):
    tables = [name for (name,) in looked_at(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    before = {name: looked_at(path, f"SELECT count(*) FROM {name}") for name in tables}
    database.prepare(path, check=True)
    assert {name: looked_at(path, f"SELECT count(*) FROM {name}") for name in tables} == before
    assert looked_at(path, "PRAGMA user_version") == [(NEWEST,)]
    assert looked_at(path, "PRAGMA foreign_key_check") == []
    assert looked_at(path, "PRAGMA integrity_check") == [("ok",)]
    fresh = tmp_path / "fresh.db"
    database.prepare(fresh)
    assert shape(path) == shape(fresh)
    database.prepare(path)
    assert looked_at(path, "PRAGMA user_version") == [(NEWEST,)], "a second time there is nothing to do"


def test_people_and_logins_read_right(path):
    with offline.reading(migrated(path)) as connection:
        assert registered.resolve(connection, "ALICE+news@example.org").found.user == "alice"
        assert registered.resolve(connection, "whoever@example.org").found.user == "bob"
        assert [(device.username, device.created_ms) for device in pairing.list_devices(connection, None)] == [
            ("alice.phone", NOON_MS),
            ("bob.tab-let", NOON_MS),
        ]
        views = {user.user: user.views for user in people.list_users(connection, 0)}
        assert {user: set(on) for user, on in views.items()} == {
            "alice": {"last", "text", "unread", "event"},
            "bob": set(),
        }
        assert (logins.list_admins(connection), logins.list_nodes(connection)) == (["boss"], ["main"])
        assert logins.check_sender(connection, "relay", "a generated password")


def test_mail_reads_right(path):
    with offline.reading(migrated(path)) as connection:
        newest = messages.recent(connection, 1, 10)
        assert [number for number, _ in newest] == [NEWEST_MAIL, THIRD, SECOND, OLDEST_MAIL]
        assert [unpack_header(payload).subject for _, payload in newest] == ["mail 3", "mail 2", "mail 1", "mail 0"]
        assert live.live_numbers(connection, 1) == [SECOND, NEWEST_MAIL]
        assert messages.body(connection, 1, SECOND).raw.endswith(b"mail 1\r\n")
        assert messages.body(connection, 2, NEWEST_MAIL).file == "00ff.eml"
        assert messages.discarded_files(connection) == {"gone.eml"}


def test_what_waits_for_the_broker_is_published(path):
    with offline.reading(migrated(path)) as connection:
        waiting = outbox.take_messages(connection, limit=99, now_ms=NOON_MS, busy=(), days=7)
        assert [(each.kind, each.number, bool(each.payload), each.needed) for each in waiting] == [
            (Kind.MESSAGE, THIRD, False, True),
            (Kind.MESSAGE, NEWEST_MAIL, True, True),
            (Kind.EVENT, NEWEST_MAIL, True, True),
            (Kind.STRAY, 0, False, True),
        ]
        views = outbox.take_views(connection, limit=99, now_ms=NOON_MS, busy=(), days=7)
        assert {view.path: bool(view.payload) for view in views} == {
            f"alice/{name}": True for name in ("box", "last", "text", "unread")
        }


def test_rules_read_right(path, request):
    with offline.reading(migrated(path)) as connection:
        muted = () if "0001" in request.node.name else ("boss@example.org",)
        assert rules.read(connection, "alice").mute == muted
        assert rules.read(connection, "bob") == Rules()


def test_who_is_rung_reads_right(path, request):
    with offline.reading(migrated(path)) as connection:
        rung = subscriptions.standings(connection)
        if SCHEMAS.index(request.node.callspec.params["path"]) < 5:
            assert (rung, subscriptions.read_key(connection)) == ({}, None)
            return
        assert {whose: (each.state, each.waiting) for whose, each in rung.items()} == {
            ("alice", "phone"): (PushState.OK, 1),
            ("bob", "tab-let"): (PushState.FORGOTTEN, 0),
        }
        assert len(subscriptions.read_key(connection) or b"") == 32
        [waiting] = notifications.take(connection, now_ms=NOON_MS, ttl_ms=DAY_MS, limit=9, without=(), days=7)
        assert (waiting.user, waiting.device, waiting.header.subject) == ("alice", "phone", "mail 3")


def test_work_goes_on_with_it(path):
    migrated(path)

    async def story(store):
        await store.refresh_all()
        await store.close_storms()
        [kept, _] = await store.keep(mail(to(1, "alice"), to(2, "bob")), header("new"), message_id="<new@x>")
        assert kept.number > NEWEST_MAIL, "ids only grow"
        [again] = await store.keep(mail(to(1, "alice")), header("new"), message_id="<new@x>")
        assert (again.number, again.copy_of_known) == (kept.number, True)
        assert await store.set_seen(1, [SECOND, kept.number], seen=True) == 2
        while taken := [*await store.take_messages(limit=99, busy=()), *await store.take_views(limit=99, busy=())]:
            await store.settle(taken)
        assert await store.waiting() == 0
        await store.write(bodies.clear, bodies.Keeping(days=0, quota=0, total=0, headers_days=1))
        assert "00ff.eml" in await store.discarded_files()
        await store.write(people.remove_user, "alice")

    told(path, story, clock=Clock(NOON_MS + DAY_MS))


def test_it_can_be_salvaged(path):
    """Damage may be found by the first start of a newer version: the rows of the older schema are read as they are."""
    saved = salvaging.salvage(path)
    younger = {"rules", "ring", "storm", "push", "notification", "push_key"}
    younger |= {"mailbox", "folder", "counterpart", "cell", "leaving"}
    assert set(saved.damaged) <= younger, "tables that it did not have"
    assert saved.rows["message"] == 5
    if "push" not in saved.damaged:
        assert (saved.rows["push"], saved.rows["notification"], saved.rows["push_key"]) == (2, 2, 1)
    assert looked_at(path, "PRAGMA user_version") == [(NEWEST,)]


def test_a_migration_that_fails_leaves_all_as_it_was(path, monkeypatch):
    before = (looked_at(path, "PRAGMA user_version"), shape(path))
    steps = [*database.migrations(), "CREATE TABLE spare (a) STRICT; INSERT INTO user SELECT * FROM user;"]
    monkeypatch.setattr(database, "migrations", lambda: steps)
    with pytest.raises(StoreUnavailableError):
        database.prepare(path)
    assert (looked_at(path, "PRAGMA user_version"), shape(path)) == before
    assert copies.listed(path) == [], "each start tries again, and would leave another copy"
    monkeypatch.undo()
    migrated(path)


# --- the copy that is made before -----------------------------------------------------------------


def contents(path):
    tables = [name for (name,) in looked_at(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return shape(path), {name: looked_at(path, f"SELECT * FROM {name}") for name in tables}


def test_it_is_kept_as_it_was(path):
    schema, before = looked_at(path, "PRAGMA user_version")[0][0], contents(path)
    migration = database.prepare(path, now_ms=lambda: NOON_MS)
    if schema == NEWEST:
        assert migration is None
        assert copies.listed(path) == []
        return
    assert (migration.from_schema, migration.to_schema) == (schema, NEWEST)
    [copy] = copies.listed(path)
    assert copy.path == migration.kept_as == path.with_name(f"postbell.db.schema-{schema}.2026-05-28T20-26-40Z")
    assert (copy.schema, copy.made, copy.size) == (schema, "2026-05-28T20-26-40Z", copy.path.stat().st_size)
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert contents(copy.path) == before, "the version that made it can go on with it"
    database.prepare(copy.path)
    assert contents(copy.path) == contents(path), "and so can this one"


def test_only_the_newest_copies_stay(older):
    other = older.with_name("postbell.db.schema-of-something-else")
    other.touch()
    made = [older.with_name(f"postbell.db.schema-1.2026-0{month}-01T00-00-00Z") for month in (3, 1, 2)]
    for copy in made:
        copy.touch()
    migration = database.prepare(older, now_ms=lambda: NOON_MS)
    assert [copy.path for copy in copies.listed(older)] == [made[2], made[0], migration.kept_as]
    assert other.exists()


def test_without_room_for_it_nothing_is_changed(older, monkeypatch):
    before = contents(older)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=copies.MARGIN_BYTES))
    with pytest.raises(StoreUnavailableError, match="needs 16 MiB, and 16 are free"):
        database.prepare(older)
    assert contents(older) == before
    assert copies.listed(older) == []


def test_a_copy_that_cannot_be_written_is_no_copy(older, monkeypatch):
    def full(_, to):
        to.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    before = contents(older)
    monkeypatch.setattr(snapshot, "copy", full)
    with pytest.raises(StoreUnavailableError, match="No space left"):
        database.prepare(older)
    assert contents(older) == before
    assert [file.name for file in older.parent.glob(".postbell*")] == []


def test_what_was_dropped_long_ago_cannot_be_read_from_the_file_any_more(older):
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF").fetchone()
        said = b"long ago, dropped without a trace " * 200
        connection.execute("INSERT INTO body VALUES (99, 0, 9, ?, NULL)", (said,))
        connection.execute("DELETE FROM body WHERE body_id = 99")
    assert b"dropped without a trace" in older.read_bytes()
    database.prepare(older)
    assert b"dropped without a trace" not in older.read_bytes()


def test_who_only_reads_changes_nothing_and_says_why_it_cannot(older):
    before = contents(older)
    with pytest.raises(StoreUnavailableError, match=rf"older Postbell \(schema \d, now {NEWEST}\)"):
        offline.reading(older).__enter__()
    assert contents(older) == before


@pytest.fixture
def older(tmp_path):
    """A database of the first schema."""
    path = tmp_path / "postbell.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMAS[0].read_text())
    return path


def migrated(path):
    database.prepare(path)
    return path
