"""A connection to a real PostgreSQL: the schema gets there, and what the way there does is told as what it is."""

from __future__ import annotations

import threading

import psycopg
import pytest

from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.postgres import connection as connecting
from bridge.postgres import database


@pytest.fixture
def prepared(postgres):
    database.prepare(postgres)
    return postgres


@pytest.fixture
def connected(prepared):
    connection = connecting.connect(prepared, name="test")
    yield connection
    connection.close()


def test_the_schema_is_made_once(postgres):
    newest = database.newest_schema()
    assert database.prepare(postgres) == (0, newest)
    assert database.prepare(postgres) == (newest, newest)


def test_bridges_that_start_at_once_make_it_once(postgres):
    made, failed = [], []

    def prepare():
        try:
            made.append(database.prepare(postgres))
        except Exception as error:  # noqa: BLE001 - it is looked at below
            failed.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    newest = database.newest_schema()
    assert not failed
    assert sum(before == 0 for before, _ in made) == 1
    assert {after for _, after in made} == {newest}


def test_a_database_of_a_newer_version_is_refused(connected, prepared):
    connected.execute("INSERT INTO schema_version VALUES (99)")
    with pytest.raises(StoreCorruptError, match="newer Postbell"):
        database.prepare(prepared)


def test_who_only_looks_makes_no_schema(postgres):
    connection = connecting.connect(postgres, name="test", reading=True)
    with pytest.raises(StoreUnavailableError, match="is empty"):
        database.require_newest(connection, postgres)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE x (y int)")
    connection.close()


def test_a_database_that_is_not_there_is_unavailable_and_no_password_is_said(postgres_server):
    url = f"postgresql://postgres:secret@127.0.0.1:{postgres_server.port}/nothing"
    with pytest.raises(StoreUnavailableError, match="does not exist") as refused:
        database.prepare(url)
    assert "secret" not in str(refused.value)


def test_rows_are_as_those_of_sqlite(connected):
    connected.execute('INSERT INTO "user" (name, views, created_ms) VALUES (?, ?, ?)', ("a\0b", "x", 2**40))
    connected.execute(
        "INSERT INTO message (user_id, number, size, header, message_id, digest) VALUES (1, 7, 3, ?, ?, ?)",
        (b"x\0", "<x\0>", b"d"),
    )
    row = connected.execute("SELECT number, header, message_id, seen, shard FROM message WHERE seen = ?", (False,))
    assert row.fetchall() == [(7, b"x\0", "<x\ufffd>", 0, 1)]
    assert connected.execute('SELECT sum(bytes), avg(slot), name FROM stored, "user" GROUP BY name').fetchone() == (
        0,
        31.5,
        "a\ufffdb",
    )
    rows = connected.execute('SELECT name FROM "user" WHERE user_id IN (SELECT value FROM json_each(?))', ("[1, 2]",))
    assert rows.fetchall() == [("a\ufffdb",)]


def test_a_mark_is_a_new_generation_also_where_the_row_went(connected):
    seen = set()
    for _ in range(3):
        connected.execute("INSERT INTO outbox (path, kind, user_id, number) VALUES ('a/msg/x', 'msg', 1, 1)")
        for _ in range(3):
            connected.execute("UPDATE outbox SET generation = generation + 1")
            seen |= set(connected.execute("SELECT generation FROM outbox").fetchall())
        connected.execute("DELETE FROM outbox")
    assert len(seen) == 9


def test_a_call_that_is_not_answered_ends(connected):
    connected.patience_s = 0.5
    with pytest.raises(psycopg.OperationalError) as hung:
        connected.execute("SELECT pg_sleep(600)")
    assert database.concerns_connection(hung.value)
    assert connected.closed


def test_a_warning_at_commit_is_no_yes(connected):
    connected.begin()
    connected.execute("""
        CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$
    """)
    connected.execute(
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON node DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION warn()"
    )
    connected.commit()
    connected.begin()
    connected.execute("INSERT INTO node VALUES ('a', now())")
    with pytest.raises(connecting.UnkeptError):
        connected.commit()


def test_what_goes_with_a_body(connected):
    connected.execute('INSERT INTO "user" (name, views, created_ms, stored) VALUES (?, ?, ?, 3)', ("a", "x", 1))
    connected.execute("INSERT INTO body (body_id, received_ms, size, file) VALUES (5, 1, 3, 'x')")
    connected.execute("INSERT INTO body_part VALUES ('x', 0, ?)", (b"abc",))
    connected.execute(
        "INSERT INTO message (user_id, number, size, header, message_id, digest, body_id) VALUES (1, 7, 3, ?, ?, ?, 5)",
        (b"x", "", b"d"),
    )
    connected.execute("DELETE FROM body WHERE body_id = 5")
    assert connected.execute("SELECT body_id FROM message").fetchall() == [(None,)]
    assert connected.execute("SELECT count(*) FROM body_part").fetchone() == (0,)
    assert connected.execute('SELECT stored FROM "user"').fetchone() == (0,)
    assert connected.execute("SELECT sum(bytes) FROM stored").fetchone() == (-3,)


def test_a_command_makes_a_schema_and_leaves_an_older_one_to_the_bridge(postgres, monkeypatch):
    assert database.prepare(postgres, only_new=True) == (0, database.newest_schema())
    monkeypatch.setattr(database, "migrations", lambda: ["", "", ""])
    assert database.prepare(postgres, only_new=True) == (1, 1)
    monkeypatch.setattr(database, "newest_schema", lambda: 3)
    connection = connecting.connect(postgres, name="test")
    with pytest.raises(StoreUnavailableError, match="older Postbell"):
        database.require_newest(connection, postgres)
    connection.close()


def test_a_migration_that_fails_leaves_all_as_it_was(postgres, monkeypatch):
    monkeypatch.setattr(database, "migrations", lambda: ["CREATE TABLE x (y int)", "nonsense"])
    with pytest.raises(StoreUnavailableError, match="syntax error"):
        database.prepare(postgres)
    connection = connecting.connect(postgres, name="test")
    assert database.schema(connection) == 0
    connection.close()
    with pytest.raises(StoreUnavailableError):
        database.schema(connection)


def test_a_database_in_another_encoding_is_refused(postgres_server):
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StoreUnavailableError, match="UTF-8"):
        database.prepare(postgres_server.url("latin"))


def test_why_nothing_can_be_written_is_said(prepared, connected):
    assert database.refusal(connected) == ""
    reader = connecting.connect(prepared, name="test", reading=True)
    assert "read-only" in database.refusal(reader)
    reader.close()


def test_a_transaction_in_which_nothing_was_done_costs_nothing(connected):
    connected.begin()
    connected.commit()
    connected.begin()
    connected.rollback()
    assert not connected.in_transaction
    connected.begin()
    assert connected.execute("SELECT pg_current_xact_id_if_assigned() IS NULL").fetchone() == (True,)
    assert connected.in_transaction
    connected.rollback()
    assert not connected.in_transaction


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://u:p@h:1/d?x=y", "postgresql://u@h:1/d"),
        ("postgresql:///d?host=/run", "postgresql:///d"),
        ("postgresql://a,b/d", "postgresql://a,b/d"),
    ],
)
def test_a_url_is_shown_without_its_password(url, seen):
    assert connecting.shown(url) == seen
