"""All of a user's data, for the user; and nothing of a user who was removed, anywhere in the state directory."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.spool import Spool
from bridge.store import amounts, offline, people
from tests.support.stored import COUNT, DAYS, NOON_MS, Clock, add_user, header, mail, storing, to
from tests.support.system import ROOT, System
from tests.support.waiting import until

SMALL = b"From: Zoe <zoe@example.net>\r\nSubject: sesamsmall\r\nMessage-ID: <1@x>\r\n\r\nsesambody in a small one\r\n"
LARGE = b"From: Zoe <zoe@example.net>\r\nSubject: sesamlarge\r\n\r\n" + b"sesambody in a large one\r\n" * 10_000
LEAVES = (b"sesamuser", b"sesamaddress", b"sesamsmall", b"sesamlarge", b"sesambody", b"sesamdevice")
"""What would be left of the user: name, address, subjects, bodies, device."""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A running system with a user of whom all kinds of data are there, and one who stays."""
    with System(tmp_path_factory.mktemp("departing")) as system:
        login = system.add("sesamuser", "sesamdevice", "sesamaddress@example.org")
        system.add("stays")
        system.run("user", "rules", "sesamuser", "--mute", "sesammuted@example.net")
        system.serve()
        session_kept(system, login)
        ids = [
            system.send(SMALL, "sesamaddress@example.org"),
            system.send(LARGE, "sesamaddress@example.org"),
            system.send(b"Subject: both\r\n\r\nto both\r\n", "sesamaddress@example.org", "stays@example.org"),
        ]
        system.wait_drained()
        journal = system.state_dir / "watch" / "sesamuser.sesamdevice.journal"
        journal.parent.mkdir(exist_ok=True)
        journal.write_bytes(b"sesamsmall")
        (journal.parent / "stays.phone.journal").write_bytes(b"mine")
        yield system, ids


def session_kept(system, login):
    """Have the broker keep a session in which mail waits."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=login["username"], clean_session=False)
    client.username_pw_set(login["username"], login["password"])
    subscribed = []
    client.on_connect = lambda connected, *_: connected.subscribe("mail/sesamuser/#", 1)
    client.on_subscribe = lambda *_: subscribed.append(True)
    client.connect("127.0.0.1", system.mqtt_port())
    client.loop_start()
    until(lambda: subscribed, what="the subscription")
    client.disconnect()
    client.loop_stop()


# --- export ---------------------------------------------------------------------------------------


def test_everything_is_exported_into_a_folder_while_it_runs(running, tmp_path):
    system, [small, large, both] = running
    done = system.run("export", "sesamuser", str(tmp_path / "data"), "--json")
    assert json.loads(done.stdout) == {
        "user": "sesamuser",
        "into": str(tmp_path / "data"),
        "messages": 3,
        "mails": 3,
    }
    known = json.loads((tmp_path / "data" / "user.json").read_text())
    assert (known["user"], known["addresses"]) == ("sesamuser", ["sesamaddress@example.org"])
    assert known["rules"]["mute"] == ["sesammuted@example.net"]
    [device] = known["devices"]
    assert (device["device"], device["online"]) == ("sesamdevice", False)
    assert device["address"] == "127.0.0.1"
    lines = [json.loads(line) for line in (tmp_path / "data" / "messages.jsonl").read_text().splitlines()]
    assert [(line["id"], line["subject"], line["unseen"]) for line in lines] == [
        (small, "sesamsmall", True),
        (large, "sesamlarge", True),
        (both, "both", True),
    ]
    assert lines[0]["message_id"] == "<1@x>"
    mails = {line["id"]: (tmp_path / "data" / line["file"]).read_bytes() for line in lines}
    assert mails[small].endswith(SMALL)
    assert mails[large].endswith(LARGE)
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    content = b"".join(path.read_bytes() for path in kept)
    with closing(sqlite3.connect(system.state_dir / "postbell.db")) as connection:
        secrets = connection.execute("SELECT salt, hash FROM login").fetchall()
    assert not any(part in content or part.hex().encode() in content for row in secrets for part in row if part)


def test_or_into_an_archive(running, tmp_path):
    system, _ = running
    done = system.run("export", "sesamuser", str(tmp_path / "data.tar.gz"))
    assert "exported sesamuser: 3 headers, 3 of them with the mail" in done.stdout
    with tarfile.open(tmp_path / "data.tar.gz") as archive:
        names = archive.getnames()
        assert {"sesamuser/user.json", "sesamuser/messages.jsonl"} < set(names)
        assert len(names) == 5
    streamed = subprocess.run(
        [sys.executable, "-m", "bridge", "export", "sesamuser", "-"],
        env=system.environment | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(streamed.stdout)) as archive:
        assert sorted(archive.getnames()) == sorted(names)
    assert b"exported sesamuser" in streamed.stderr


@pytest.fixture
def run(typed):
    return typed


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "state" / "postbell.db"
    add_user(found, "alice")
    return found


def test_what_is_there_already_is_left_alone_and_a_stranger_has_nothing(run, path, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").touch()
    code, _, err = run("export", "alice", "data")
    assert code == 1
    assert "there is something already" in err
    (tmp_path / "data.tar").touch()
    code, _, err = run("export", "alice", "data.tar")
    assert code == 1, "as of a folder"
    assert "there is such a file already" in err
    (tmp_path / "data.tar").unlink()
    assert run("export", "alice", "absent/data.tar")[0] == 1
    (tmp_path / "data" / "mine").unlink()
    assert run("export", "alice", "data")[0] == 0
    assert {entry.name for entry in (tmp_path / "data").iterdir()} == {"user.json", "messages.jsonl"}
    assert run("export", "nobody", "other")[0] == 1
    assert run("export", "alice", "nowhere/data")[0] == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "state"]
    assert path.exists()


def test_what_is_not_kept_any_more_has_its_header(run, path, tmp_path):
    async def story():
        spooling = Spool(path.parent / "spool")
        async with storing(path, clock=Clock(NOON_MS)) as store:
            await store.keep(mail(to(1, "alice")), header("dropped"), message_id="")
            await store.keep(mail(to(1, "alice"), spooled="gone.eml"), header("lost"), message_id="")
            await store.write(lambda transaction: transaction.connection.execute("DELETE FROM body WHERE file IS NULL"))
        spooling.close()

    asyncio.run(story())
    code, out, _ = run("export", "alice", "data")
    assert code == 0
    assert "2 headers, 0 of them with the mail" in out
    lines = [json.loads(line) for line in (tmp_path / "data" / "messages.jsonl").read_text().splitlines()]
    assert [(line["subject"], line["file"]) for line in lines] == [("dropped", None), ("lost", None)]


# --- removal --------------------------------------------------------------------------------------


def left(directory):
    """What of the user is still in the bytes of the files there, and in their names."""
    found = set()
    for file in directory.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        found |= {(file.name, leaf) for leaf in LEAVES if leaf in content or leaf in str(file).encode()}
    return found


def test_nothing_is_left_of_a_user_who_was_removed(running):
    system, _ = running
    assert {leaf for _, leaf in left(system.state_dir)} == set(LEAVES), "all of it is there before"
    removed = json.loads(system.run("user", "remove", "sesamuser", "--yes", "--json").stdout)
    assert removed == {
        "user": "sesamuser",
        "addresses": 1,
        "devices": 1,
        "logins": 1,
        "messages": 3,
        "bodies": 2,
        "files": 1,
        "staying": 0,
        "journals": 1,
        "waiting": 0,
        "copies": [],
    }
    until(lambda: not left(system.state_dir), what="the broker to forget the rest", patience_s=30)
    assert (system.state_dir / "watch" / "stays.phone.journal").exists()
    with offline.reading(system.state_dir / "postbell.db") as connection:
        assert connection.execute("SELECT count(*) FROM body WHERE raw IS NOT NULL").fetchone() == (1,)
        assert [user.user for user in people.list_users(connection, 0)] == ["stays"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_it_asks(run, path, monkeypatch):
    def answered(text):
        monkeypatch.setattr(sys, "stdin", Terminal(text))
        return run("user", "remove", "alice")

    code, out, _ = answered("n\n")
    assert code == 1
    assert "alice has 1 addresses, 0 devices and 0 messages. Remove all?" in out
    with offline.reading(path) as connection:
        assert amounts.users(connection) == 1
    code, out, _ = answered("y\n")
    assert code == 0
    assert "removed alice: 1 addresses" in out
    assert "topics on the broker are cleared as soon as the bridge reaches it" in out
    assert run("user", "remove", "alice", "--yes")[0] == 1


def test_what_cannot_go_yet_is_told(run, path):
    (path.parent / "before-restore-2026").mkdir()
    spool_dir = path.parent / "spool"
    spool_dir.mkdir()
    (spool_dir / "00.eml").write_bytes(b"large")
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        transaction.connection.execute("INSERT INTO discarded VALUES ('00.eml')")
    descriptor = os.open(spool_dir, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        code, out, _ = run("user", "remove", "alice")
    finally:
        os.close(descriptor)
    assert code == 0
    assert "1 files of large bodies go when the backup that is being made has ended" in out
    assert f"remove them when you need them no more:\n  {path.parent}/before-restore-2026" in out
    assert (spool_dir / "00.eml").exists()
