"""A backup of a state in use is one consistent picture of it."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
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
from bridge.archive import contents, making
from bridge.archive.contents import BackupError
from bridge.archive.making import State
from bridge.box.live_set import Retention
from bridge.errors import StoreCorruptError
from bridge.spool import Spool
from bridge.store import amounts, bodies, live, messages, offline, snapshot
from bridge.store.bodies import Keeping
from tests.support.command_line import forked
from tests.support.saved import a_state, filled, keep, rows, saved, unpacked
from tests.support.stored import COUNT, DAYS, NOON_MS, Clock, storing
from tests.support.system import ROOT, System
from tests.support.waiting import until

NOBODY = 65_534


@pytest.fixture
def state(tmp_path):
    return a_state(tmp_path)


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
            one = [f"mail/alice/msg/{first}"]
            until(lambda: [topic for topic in seen if "/msg/" in topic] == one, what="its mail, and no other")
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
        live.review_all(work, Retention(COUNT, DAYS))
    with offline.reading(tmp_path / "fresh" / "postbell.db") as connection:
        assert amounts.live_messages(connection) == 2
