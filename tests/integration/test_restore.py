"""A backup takes its place again as a whole: the state of before is put aside, or all is as it was."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bridge import spool
from bridge.archive import contents, placing, tape, unpacking
from bridge.archive.contents import Head
from bridge.archive.making import State
from bridge.daemon import runfile
from bridge.errors import StoreUnavailableError
from bridge.store import database, messages, offline, people, turn
from tests.support.saved import a_state, filled, saved, subjects
from tests.support.system import ROOT

SCHEMAS = Path(__file__).parent / "schemas"


@pytest.fixture
def state(tmp_path):
    return a_state(tmp_path)


@pytest.fixture
def run(typed):
    return typed


def test_a_state_is_put_aside_and_the_backup_takes_its_place(run, state, tmp_path):
    filled(state, "first")
    assert run("backup", "b.tar.gz")[0] == 0
    filled(state, "second")
    (tmp_path / "state" / "sessions.db").write_bytes(b"sessions")
    (tmp_path / "state" / "watch").mkdir()
    (tmp_path / "state" / "mta").mkdir()
    state.key.write_bytes(b"n" * 32)
    code, _, err = run("restore", "b.tar.gz")
    assert code == 1
    assert "there is a state already; say --force to have it put aside" in err
    code, out, _ = run("restore", "--force", "b.tar.gz", "--json")
    assert code == 0
    told = json.loads(out)
    aside = Path(told["kept_as"])
    assert aside.parent == tmp_path / "state"
    assert (told["users"], told["messages"], told["beside"]) == (1, 2, [])
    assert subjects(state.database) == ["first large", "first small"]
    assert state.key.read_bytes() == b"k" * 32
    kept = State(database=aside / "postbell.db", spool_dir=aside / "spool", key=aside / "local.key")
    assert subjects(kept.database) == ["first large", "first small", "second large", "second small"]
    assert (len(spool.files(kept.spool_dir)), kept.key.read_bytes()) == (2, b"n" * 32)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
        aside.name,
        "local.key",
        "mta",
        "postbell.db",
        "run",
        "spool",
    ]
    assert {path.name for path in aside.iterdir()} == {"local.key", "postbell.db", "sessions.db", "spool", "watch"}
    assert aside.stat().st_mode & 0o777 == 0o700
    assert "restored 1 user, 2 messages, 2 bodies" in run("restore", "--force", "b.tar.gz")[1]


def test_where_nothing_was_it_just_begins(run, state, tmp_path, monkeypatch):
    filled(state, "first")
    run("backup", "b.tar")
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "new" / "state"))
    code, out, _ = run("restore", "b.tar")
    assert code == 0
    assert "kept as" not in out
    assert subjects(tmp_path / "new" / "state" / "postbell.db") == ["first large", "first small"]
    assert (tmp_path / "new" / "state").stat().st_mode & 0o777 == 0o700


def test_a_check_changes_nothing(run, state):
    filled(state, "first")
    run("backup", "b.tar.xz")
    before = tree(state.database.parent)
    code, out, _ = run("restore", "--check", "b.tar.xz")
    assert code == 0
    assert "sound: 1 user, 2 messages, 2 bodies, saved 20" in out
    assert json.loads(run("restore", "--check", "--json", "b.tar.xz")[1])["spool_files"] == 1
    assert tree(state.database.parent) == before


def tree(directory):
    return sorted((str(path), path.stat().st_size) for path in directory.rglob("*") if "-shm" not in path.name)


@pytest.mark.parametrize("process", [runfile.BRIDGE, runfile.BROKER])
def test_it_waits_for_nobody_who_uses_the_state(run, state, process, monkeypatch):
    monkeypatch.setattr(runfile, "LOOK_S", 0.001)
    run("backup", "b.tar")
    with runfile.only_one(state.database.parent / "run", process):
        code, _, err = run("restore", "--force", "b.tar")
    assert code == 1
    assert f"a {process} runs already" in err


def test_another_command_that_works_with_the_database_is_not_cut_off(run, state, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    run("backup", "b.tar")
    with closing(sqlite3.connect(state.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, _, err = run("restore", "--force", "b.tar")
    assert code == 1
    assert "another command works with it" in err
    assert subjects(state.database) == []


@pytest.mark.parametrize("command", ["restore --force b.tar", "salvage"])
def test_a_command_that_has_the_database_open_is_waited_for(run, state, monkeypatch, command):
    monkeypatch.setattr(turn, "PATIENCE_S", 0.05)
    filled(state, "first")
    run("backup", "b.tar")
    with offline.reading(state.database):
        code, _, err = run(*command.split())
    assert code == 1
    assert f"{state.database}: another command works with it; try again when it has ended" in err
    with offline.reading(state.database) as connection:
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (2,)


def test_what_comes_while_the_state_is_replaced_is_part_of_the_new_one(run, state, monkeypatch):
    filled(state, "first")
    run("backup", "b.tar")
    waiting, bring, locked = threading.Event(), placing._bring_spool, turn._locked

    def told(descriptor, how):
        got = locked(descriptor, how)
        if not got:
            waiting.set()
        return got

    def add():
        with offline.transaction(state.database, now_ms=1, count=1, days=1) as transaction:
            people.add_user(transaction, "zoe", ["zoe@example.org"])

    other = threading.Thread(target=add)

    def bring_while_another_begins(*arguments):
        other.start()
        assert waiting.wait(30), "it does not wait for its turn"
        bring(*arguments)

    monkeypatch.setattr(turn, "_locked", told)
    monkeypatch.setattr(placing, "_bring_spool", bring_while_another_begins)
    assert run("restore", "--force", "b.tar")[0] == 0
    other.join(30)
    with offline.reading(state.database) as connection:
        assert {user.user for user in people.list_users(connection, 0)} == {"alice", "zoe"}
    monkeypatch.setattr(turn, "PATIENCE_S", 0)
    with (
        turn.replacing(state.database),
        pytest.raises(StoreUnavailableError, match="it is being replaced now"),
        offline.reading(state.database),
    ):
        pass


def test_a_damaged_state_is_put_aside_as_it_is(run, state):
    filled(state, "first")
    run("backup", "b.tar")
    with closing(sqlite3.connect(state.database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = b"\0" * 100_000
    state.database.write_bytes(damaged)
    log = state.database.with_name("postbell.db-wal")
    log.write_bytes(b"half a log")
    code, out, err = run("restore", "--force", "b.tar", "--json")
    assert code == 0, err
    aside = Path(json.loads(out)["kept_as"])
    assert (aside / "postbell.db").read_bytes() == damaged
    assert (aside / "postbell.db-wal").read_bytes() == b"half a log"
    assert subjects(state.database) == ["first large", "first small"]


def test_damage_leaves_the_state_as_it_is(run, state, tmp_path):
    filled(state, "first")
    run("backup", "b.tar")
    content = bytearray((tmp_path / "b.tar").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "b.tar").write_bytes(content)
    filled(state, "second")
    before = tree(state.database.parent)
    code, _, err = run("restore", "--force", "b.tar")
    assert code == 1
    assert "this backup is damaged" in err
    assert [name for name in tree(state.database.parent) if "/run" not in name[0]] == before
    assert run("restore", "nowhere.tar")[0] == 2


def test_a_disk_that_fills_up_leaves_the_state_as_it_is(run, state, monkeypatch):
    filled(state, "first")
    run("backup", "b.tar")
    filled(state, "second")
    put, count = unpacking._Disk.put, iter(range(9))

    def full(disk, name):
        write = put(disk, name)
        if next(count) < 1:
            return write
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unpacking._Disk, "put", full)
    code, _, err = run("restore", "--force", "b.tar")
    assert code == 1
    assert "No space left on device; nothing was restored" in err
    assert len(subjects(state.database)) == 4
    assert not (state.database.parent / ".restoring").exists()


def archive_of(path, *, schema, spooled=()):
    """A backup with this database, as another version would have made it."""
    stream = io.BytesIO()
    writer = tape.ArchiveWriter(stream, made_s=0)
    head = Head(
        version="0.1.0",
        schema=schema,
        created_ms=0,
        node="main",
        users=2,
        messages=5,
        bodies=3,
        spool_files=len(spooled),
        size=1,
    )
    writer.add_text(contents.HEAD, head.written())
    writer.add(contents.DATABASE, path.open("rb"), size=path.stat().st_size)
    for name in spooled:
        writer.add(contents.SPOOL + name, io.BytesIO(b"large"), size=5)
    writer.add_text(contents.TAIL, contents.checksums(writer.members))
    writer.close()
    return stream.getvalue()


def test_one_of_an_older_version_becomes_newer(run, tmp_path, monkeypatch):
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((SCHEMAS / "0001.sql").read_text())
    (tmp_path / "b.tar").write_bytes(archive_of(old, schema=1, spooled=["00ff.eml"]))
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "new"))
    code, out, err = run("restore", "b.tar")
    assert code == 0, err
    assert "restored 2 users, 5 messages, 3 bodies" in out
    assert database.schema(tmp_path / "new" / "postbell.db") == database.newest_schema()
    assert [path.name for path in (tmp_path / "new").glob("*.schema-*")] == [], "the backup is the copy"
    (tmp_path / "b.tar").write_bytes(archive_of(old, schema=1))
    code, _, err = run("restore", "--force", "b.tar")
    assert code == 1
    assert "00ff.eml is missing" in err


def test_one_whose_database_is_none_is_refused(run, tmp_path):
    wrong = tmp_path / "wrong.db"
    wrong.write_bytes(b"no database" * 1000)
    (tmp_path / "b.tar").write_bytes(archive_of(wrong, schema=1))
    code, _, err = run("restore", "b.tar")
    assert code == 1
    assert "the database in this backup cannot be used" in err
    assert not (tmp_path / "state" / "postbell.db").exists()


def test_what_belongs_elsewhere_is_left_beside_the_state(run, state, tmp_path, monkeypatch):
    password, configuration = tmp_path / "password", tmp_path / "bell.toml"
    password.write_text("secret")
    configuration.write_text(f'[mqtt]\npassword_file = "{password}"\n')
    assert run("backup", "none.tar", "--configuration")[0] == 1
    monkeypatch.setenv("POSTBELL_CONFIG", str(configuration))
    assert run("backup", "b.tar", "--configuration")[0] == 0
    code, out, _ = run("restore", "--force", "b.tar")
    assert code == 0
    beside = state.database.parent / "restored"
    assert (beside / "mqtt-password").read_text() == "secret"
    assert (beside / "postbell.toml").read_text() == configuration.read_text()
    assert f"postbell.toml was saved as well: {beside}/postbell.toml" in out
    assert beside.stat().st_mode & 0o777 == 0o700


def test_a_password_that_postbell_keeps_itself_goes_with_the_state(run, state, monkeypatch):
    monkeypatch.setenv("POSTBELL_MQTT__LOGINS_FOR", "mosquitto")
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    monkeypatch.setenv("POSTBELL_MQTT__URL", "mqtt://127.0.0.1:1883")
    password = state.database.parent / "mqtt.password"
    password.write_text("first")
    assert run("backup", "b.tar")[0] == 0
    password.write_text("second")
    code, out, err = run("restore", "--force", "b.tar", "--json")
    assert code == 0, err
    assert password.read_text() == "first"
    told = json.loads(out)
    assert told["beside"] == []
    assert (Path(told["kept_as"]) / "mqtt.password").read_text() == "second"


# --- killed in the middle -------------------------------------------------------------------------

KILLED = """
import os, signal, sys
last, seen = int(sys.argv.pop(1)), 0
WATCHED = {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "shutil.move", "sqlite3.connect"}
def watch(event, arguments):
    global seen
    if event in WATCHED or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)
from bridge.cli import main
sys.argv[0] = "postbell"
sys.addaudithook(watch)
sys.exit(main.run())
"""


def test_killed_at_any_point_it_leaves_the_old_state_or_the_new_one(state, tmp_path):
    filled(state, "first")
    backup, _ = saved(state, tmp_path)
    (tmp_path / "b.tar").write_bytes(backup)
    filled(state, "second")
    old, new = subjects(state.database), ["first large", "first small"]
    original = tmp_path / "original"
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    subprocess.run(["cp", "-a", str(state.database.parent), str(original)], check=True)
    environment = {**os.environ, "POSTBELL_STATE_DIR": str(state.database.parent), "PYTHONPATH": str(ROOT)}
    ended, point, moments = None, 1, []
    while ended != 0:
        command = [sys.executable, "-c", KILLED, str(point), "restore", "--force", str(tmp_path / "b.tar")]
        ended = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=tmp_path).returncode
        assert ended in {0, -signal.SIGKILL}
        found = subjects(state.database)
        assert found in (old, new)
        moments.append(found == new)
        with offline.reading(state.database) as connection:
            named = messages.spooled_files(connection)
        assert named <= {path.name for path in spool.files(state.spool_dir)}, "every body is there"
        if found == new:
            subprocess.run(["rm", "-rf", str(state.database.parent)], check=True)
            subprocess.run(["cp", "-a", str(original), str(state.database.parent)], check=True)
        point += 4
    assert moments == sorted(moments), "the old one up to a point, and from there the new one"
    assert len(moments) > 8
    assert moments[-3:].count(True) >= 1
