"""A backup of a state in use is one consistent picture of it, and takes its place again as a whole."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge import spool
from bridge.archive import contents, making, placing, tape, unpacking
from bridge.archive.contents import BackupError, Head
from bridge.archive.making import State
from bridge.cli import main
from bridge.daemon import runfile
from bridge.errors import StoreCorruptError
from bridge.spool import Spool
from bridge.store import bodies, database, live, messages, offline, snapshot
from bridge.store.bodies import Keeping
from tests.support.command_line import forked
from tests.support.stored import COUNT, DAYS, NOON_MS, Clock, add_user, header, mail, storing, to
from tests.support.system import ROOT, System
from tests.support.waiting import until

SCHEMAS = Path(__file__).parent / "schemas"
NOBODY = 65_534


@pytest.fixture
def state(tmp_path):
    """A state that alice uses, with a key."""
    place = tmp_path / "state"
    found = State(database=place / "postbell.db", spool_dir=place / "spool", key=place / "local.key")
    add_user(found.database, "alice")
    found.key.write_bytes(b"k" * 32)
    Spool(found.spool_dir).close()
    return found


def saved(state, tmp_path, **options):
    """A backup as bytes, and what it says of itself."""
    stream = io.BytesIO()
    head = making.make(state, stream, scratch=tmp_path, version="9.9", node="main", now_ms=NOON_MS, **options)
    return stream.getvalue(), head


def unpacked(backup, into):
    found = unpacking.unpack(io.BufferedReader(io.BytesIO(backup)), into)
    placing.make_fit(into, found)
    return found


def rows(path, query="SELECT number, body_id FROM message ORDER BY number"):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def keep(store, spooling, text, *, large=False):
    """A message of alice's, in the database or in the spool."""
    if not large:
        await store.keep(mail(to(1, "alice"), text=text), header(text), message_id=f"<{text}@x>")
        return
    message = spooling.begin()
    await message.write(text.encode().ljust(200_000, b"."))
    body = await message.finish()
    await store.keep(
        mail(to(1, "alice"), text=text, size=body.size, spooled=body.spooled), header(text), message_id=f"<{text}@x>"
    )


# --- one picture ----------------------------------------------------------------------------------


def test_it_has_all_that_counts(state, tmp_path):
    password, configuration = tmp_path / "password", tmp_path / "postbell.toml"
    password.write_text("secret")
    configuration.write_text("# mine")

    async def story():
        async with storing(state.database) as store:
            spooling = Spool(state.spool_dir)
            await keep(store, spooling, "small")
            await keep(store, spooling, "large", large=True)
            spooling.close()

    asyncio.run(story())
    whole = State(
        database=state.database,
        spool_dir=state.spool_dir,
        key=state.key,
        password=password,
        configuration=configuration,
    )
    backup, head = saved(whole, tmp_path)
    assert (head.users, head.messages, head.bodies, head.spool_files, head.missing) == (1, 2, 2, 1, ())
    fresh = tmp_path / "fresh"
    found = unpacked(backup, fresh)
    [large] = [name for name in found.names if name.startswith(contents.SPOOL)]
    assert found.names == (contents.DATABASE, large, contents.KEY, contents.PASSWORD, contents.CONFIGURATION)
    assert (fresh / large).read_bytes() == b"large".ljust(200_000, b".")
    assert (fresh / contents.KEY).read_bytes() == b"k" * 32
    assert (fresh / contents.PASSWORD).read_text() == "secret"
    assert rows(fresh / contents.DATABASE) == rows(state.database)
    assert list(tmp_path.glob(".postbell-backup-*")) == []


def test_what_is_dropped_while_it_is_made_is_in_it(state, tmp_path, monkeypatch):
    """Between the picture and the files everything is dropped, and the bridge wants to remove the files."""
    opened, removed = spool.opened, []

    async def fill(store):
        spooling = Spool(state.spool_dir)
        for number in range(3):
            await keep(store, spooling, f"large {number}", large=True)
        spooling.close()

    async def drop(store):
        while await store.write(bodies.clear, Keeping(days=30, quota=10**9, total=0, headers_days=365)):
            pass
        return await store.discarded_files()

    def told(story):
        async def run():
            async with storing(state.database) as store:
                return await story(store)

        return asyncio.run(run())

    def when_the_first_is_opened(directory, name):
        if not removed:
            gone = told(drop)
            assert len(gone) == 3
            removed.append(spool.remove(state.spool_dir, gone))
        return opened(directory, name)

    told(fill)
    monkeypatch.setattr(spool, "opened", when_the_first_is_opened)
    backup, head = saved(state, tmp_path)
    assert removed == [False], "the spool was held"
    assert (head.spool_files, head.missing) == (3, ())
    found = unpacked(backup, tmp_path / "fresh")
    assert sum(name.startswith(contents.SPOOL) for name in found.names) == 3
    assert rows(state.database, "SELECT count(*) FROM body") == [(0,)]
    assert spool.remove(state.spool_dir, [path.name for path in spool.files(state.spool_dir)])
    assert spool.files(state.spool_dir) == []


class SlowDisk(io.BytesIO):
    """Takes its time, as a disk or a pipe does that others use as well."""

    def write(self, data):
        time.sleep(0.05)
        return super().write(data)


def test_under_load_each_is_whole_and_mail_goes_on(state, tmp_path):
    """Mail comes in, is dropped and its files are removed, as fast as that goes, while one backup follows the other."""
    stop, taken, cleared = threading.Event(), [], []

    async def busy():
        spooling = Spool(state.spool_dir)
        async with storing(state.database) as store:
            while not stop.is_set():
                texts = [f"{len(taken)}.{part}" for part in range(4)]
                await asyncio.gather(*(keep(store, spooling, text, large=True) for text in texts))
                taken.extend(texts)
                total = 8_000_000 if len(taken) % 32 else 0  # now and then all of them go
                await store.write(bodies.clear, Keeping(days=30, quota=10**9, total=total, headers_days=365))
                files = await store.discarded_files()
                if await spooling.clear(*files):
                    cleared.extend(files)
                    await store.write(messages.forget_discarded, files)
        spooling.close()

    thread = threading.Thread(target=lambda: asyncio.run(busy()))
    thread.start()
    meanwhile = []
    try:
        for number in range(4):
            so_far = len(cleared) + 4
            until(lambda: len(cleared) > so_far and len(taken) % 32 > 15, what="files to be there")  # noqa: B023 - at once
            before, stream = len(taken), SlowDisk()
            head = making.make(state, stream, scratch=tmp_path, version="9.9", node="main", now_ms=NOON_MS)
            meanwhile.append(len(taken) - before)
            assert head.missing == ()
            assert head.spool_files > 0
            assert unpacked(stream.getvalue(), tmp_path / f"fresh-{number}").head == head
    finally:
        stop.set()
        thread.join()
    assert min(meanwhile) > 0, "no mail was taken while backups were made"


def test_a_file_that_somebody_removed_is_told_and_the_rest_is_saved(state, tmp_path):
    async def story():
        async with storing(state.database) as store:
            spooling = Spool(state.spool_dir)
            await keep(store, spooling, "large", large=True)
            spooling.close()

    asyncio.run(story())
    [file] = spool.files(state.spool_dir)
    file.unlink()
    backup, head = saved(state, tmp_path)
    assert (head.missing, head.spool_files, head.messages) == ((file.name,), 0, 1)
    unpacked(backup, tmp_path / "fresh")


def test_a_damaged_database_is_not_saved(state, tmp_path):
    with closing(sqlite3.connect(state.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with state.database.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)
    with pytest.raises(StoreCorruptError):
        saved(state, tmp_path)
    assert list(tmp_path.glob(".postbell-backup-*")) == []


def test_a_scratch_that_is_full_is_told(state, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(snapshot, "copy", full)
    with pytest.raises(BackupError, match="make room there, or name another place in the variable TMPDIR"):
        saved(state, tmp_path)
    assert list(tmp_path.glob(".postbell-backup-*")) == []


def test_the_scratch_is_beside_the_file(tmp_path, monkeypatch):
    assert making.scratch_for(str(tmp_path / "b.tar")) == tmp_path
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert making.scratch_for("-") == tmp_path
    monkeypatch.delenv("TMPDIR")
    assert making.scratch_for("-") == Path("/var/tmp")


# --- back into its place --------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command on this state directory: its exit code, and what it printed and said."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "state"))

    def in_process(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", *arguments])
        code = main.run()
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return in_process


def filled(state, text):
    """Have alice get two more mails, a small and a large one."""

    async def story():
        async with storing(state.database) as store:
            spooling = Spool(state.spool_dir)
            await keep(store, spooling, f"{text} small")
            await keep(store, spooling, f"{text} large", large=True)
            spooling.close()

    asyncio.run(story())


def subjects(database_path):
    with offline.reading(database_path) as connection:
        from bridge.contract.header import unpack_header

        return sorted(unpack_header(payload).subject for _, payload in messages.recent(connection, 1, 99))


def test_a_state_is_put_aside_and_the_backup_takes_its_place(run, state, tmp_path):
    filled(state, "first")
    assert run("backup", "b.tar.gz")[0] == 0
    filled(state, "second")
    (tmp_path / "state" / "sessions.db").write_bytes(b"sessions")
    (tmp_path / "state" / "watch").mkdir()
    (tmp_path / "state" / "mta").mkdir()
    state.key.write_bytes(b"n" * 32)
    code, _, err = run("restore", "b.tar.gz")
    assert code == 2
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


# --- the whole system -----------------------------------------------------------------------------


@contextmanager
def retained(system, login):
    """What an administrator sees retained on the broker."""
    seen: dict[str, bytes] = {}
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(login["username"], login["password"])
    client.on_connect = lambda connected, *_: connected.subscribe("mail/#", 1)
    client.on_message = lambda _c, _d, message: seen.__setitem__(message.topic, bytes(message.payload))
    client.connect("127.0.0.1", system.mqtt_port())
    client.loop_start()
    try:
        yield seen
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_running_system_is_saved_and_its_broker_brought_back_to_it(tmp_path):
    with System(tmp_path) as system:
        system.add("alice")
        admin = json.loads(system.run("admin", "add", "boss", "--json").stdout)
        serving = system.serve()
        first = system.send(b"Subject: first\r\n\r\nhello\r\n", "alice@example.org")
        told = json.loads(system.run("backup", "b.tar.gz", "--json").stdout)
        assert (told["users"], told["messages"]) == (1, 1)
        with tarfile.open(tmp_path / "b.tar.gz") as tar:
            assert tar.getnames() == [contents.HEAD, contents.DATABASE, contents.TAIL]
        second = system.send(b"Subject: second\r\n\r\nhello\r\n", "alice@example.org")
        system.wait_drained()
        assert system.run("restore", "--force", "b.tar.gz", check=False).returncode == 1
        with retained(system, admin) as seen:
            until(lambda: {f"mail/alice/msg/{each}" for each in (first, second)} <= seen.keys(), what="both mails")
        system.stop(serving)
        system.run("restore", "--force", "b.tar.gz")
        system.serve()
        system.wait_drained()
        with retained(system, admin) as seen:
            until(lambda: seen.get("mail/alice/unread") == b"1", what="the count of the backup")
            assert [topic for topic in seen if "/msg/" in topic] == [f"mail/alice/msg/{first}"]
        third = system.send(b"Subject: third\r\n\r\nhello\r\n", "alice@example.org")
        assert third > second, "ids never repeat"


def test_it_streams(tmp_path):
    with System(tmp_path) as system:
        system.add("alice")
        command = [sys.executable, "-m", "bridge"]
        environment = system.environment | {"PYTHONPATH": str(ROOT)}
        made = subprocess.run([*command, "backup", "-"], env=environment, capture_output=True, check=True, cwd=tmp_path)
        assert b"saved 1 user" in made.stderr
        new = environment | {"POSTBELL_STATE_DIR": str(tmp_path / "new")}
        put = subprocess.run(
            [*command, "restore", "-"], input=made.stdout, env=new, capture_output=True, check=True, cwd=tmp_path
        )
        assert b"restored 1 user" in put.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_roots_commands_leave_nothing_that_the_owner_cannot_use(state, tmp_path):
    filled(state, "first")
    place = state.database.parent
    for path in (place, *place.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    tmp_path.chmod(0o755)
    for above in tmp_path.parents:
        if above.name.startswith(("pytest", "popen")):  # those that pytest made, one more with several workers
            above.chmod(0o755)
    for command in (["backup", "b.tar"], ["restore", "--force", "b.tar"], ["backup", "c.tar"]):
        ended = forked(command, directory=tmp_path, environment={"POSTBELL_STATE_DIR": str(place)})
        assert ended.code == 0, ended
        assert {path.stat().st_uid for path in place.rglob("*")} == {NOBODY}


def test_the_live_set_is_that_of_the_backup(state, tmp_path):
    filled(state, "first")
    backup, _ = saved(state, tmp_path)
    unpacked(backup, tmp_path / "fresh")
    with offline.transaction(tmp_path / "fresh" / "postbell.db", now_ms=Clock().now_ms, count=COUNT, days=DAYS) as work:
        live.review_all(work)
    with offline.reading(tmp_path / "fresh" / "postbell.db") as connection:
        assert live.count_all(connection) == 2
