"""A store that cannot be written: senders are told to try again, nothing is half-written, and it recovers by itself."""

from __future__ import annotations

import asyncio
import os
import resource
import smtplib
import sqlite3
from pathlib import Path

import pytest

from bridge.config import loading
from bridge.daemon import process, runfile
from bridge.daemon.app import Bridge
from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.intake import Intake
from tests.support import UNUSED
from tests.support.stored import add_user, mail, to
from tests.support.system import System
from tests.support.waiting import until

ALICE = "alice@example.org"
MAIL = b"From: Bob <bob@example.net>\r\nSubject: %d\r\nMessage-ID: <%d@x>\r\n\r\n%s\r\n"


def numbered(number, size=10):
    return MAIL % (number, number, b"x" * size)


def hand_in(address, raw, *recipients):
    """The reply to a mail, as a sender sees it."""
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as smtp:
        smtp.ehlo("test.example")
        smtp.mail("bob@example.net")
        for recipient in recipients or (ALICE,):
            assert smtp.rcpt(recipient)[0] == 250
        code, text = smtp.data(raw)
        return f"{code} {text.decode()}"


def hiccup(_transaction):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raise error


@pytest.mark.parametrize(
    ("pragma", "reply"),
    [("query_only = ON", "451 4.3.0 "), ("max_page_count = 1", "451 4.3.0 ")],
    ids=["read-only", "full"],
)
def test_senders_are_told_to_try_again_and_their_mail_is_taken_later(tmp_path, monkeypatch, restricted, pragma, reply):
    """A whole bridge with real listeners, whose broker is not there either."""
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("POSTBELL_SMTP__LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("POSTBELL_MQTT__URL", "mqtt://127.0.0.1:1")
    monkeypatch.setenv("POSTBELL_BROKER__EMBEDDED", "false")
    settings = loading.load()
    add_user(settings.database, "alice")
    add_user(settings.database, "bob")

    def messages():
        connection = sqlite3.connect(settings.database)
        try:
            return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("message", "body")]
        finally:
            connection.close()

    async def story():
        bridge = Bridge(settings)
        running = asyncio.create_task(process.run(bridge))
        try:
            async with asyncio.timeout(30):
                while "smtp" not in bridge.ingress.addresses:  # noqa: ASYNC110 - it listens and tells nobody
                    await asyncio.sleep(0.01)
            address = bridge.ingress.addresses["smtp"]
            await asyncio.to_thread(hand_in, address, numbered(1))
            restricted.add(pragma)
            with pytest.raises(StoreUnavailableError):
                await bridge.store._writer.submit(hiccup)  # so that a new connection is made
            for _ in range(3):
                answer = await asyncio.to_thread(hand_in, address, numbered(2, 60_000), ALICE, "bob@example.org")
                assert answer.startswith(reply)
            assert messages() == [1, 1]
            restricted.clear()
            answer = await asyncio.to_thread(hand_in, address, numbered(2, 60_000), ALICE, "bob@example.org")
            assert answer.startswith("250 2.0.0 ")
            assert messages() == [3, 2]
            assert not running.done()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())


def test_a_disk_that_takes_no_more_refuses_mail_until_it_does(tmp_path):
    """A real process whose files may not grow for a while: the kernel says so to every write."""
    with System(tmp_path) as system:
        system.add("alice")
        process = system.serve()
        address = system.facts("bridge")["smtp"]
        accepted = [hand_in(address, numbered(0)).split()[2]]
        system.wait_drained()
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        for size in (10, 60_000, 300_000):
            assert hand_in(address, numbered(1, size))[:10] in {"451 4.3.0 ", "452 4.3.1 "}
        assert process.poll() is None
        assert system.status()["store"] == "ok"
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
        for number, size in ((1, 10), (2, 60_000), (3, 300_000)):
            answer = hand_in(address, numbered(number, size))
            assert answer.startswith("250 2.0.0 ")
            accepted.append(answer.split()[2])
        system.wait_drained()
        status = system.status()
        assert (status["live"], status["outbox"], status["broker"]["connected"]) == (4, 0, True)
        assert len(set(accepted)) == 4
        assert [file.stat().st_size > 300_000 for file in (system.state_dir / "spool").iterdir()] == [True]


def test_a_damaged_database_is_refused_with_the_way_back(tmp_path):
    with System(tmp_path) as system:
        system.add("alice")
        process = system.serve()
        for number in range(60):
            system.send(numbered(number, 20_000), ALICE)
        system.wait_drained()
        system.stop(process)
        path = system.state_dir / "postbell.db"
        pages = path.stat().st_size // 4096
        with path.open("r+b") as file:  # the middle of the file, so that the schema can be read
            file.seek(pages // 3 * 4096)
            file.write(b"\xa5" * 4096 * (pages // 3))
        refused = system.run("serve", check=False)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"postbell: {path}: the database is damaged")
        assert "Traceback" not in refused.stderr
        status = system.run("status", check=False)
        assert status.returncode == 1
        assert "postbell salvage" in status.stdout
        saved = system.run("salvage")
        assert "the damaged file is kept as " in saved.stdout
        system.serve()
        assert system.status()["store"] == "ok"
        accepted = system.send(numbered(1000), ALICE)
        system.wait_drained()
        assert len(accepted) == 9


def test_a_backup_made_while_running_is_restored_and_the_broker_follows(tmp_path):
    with System(tmp_path) as system:
        system.add("alice")
        process = system.serve()
        before = system.send(numbered(1), ALICE)
        with sqlite3.connect(system.state_dir / "postbell.db") as live, sqlite3.connect(tmp_path / "backup.db") as copy:
            live.backup(copy)
        system.send(numbered(2), ALICE)
        system.wait_drained()
        system.stop(process)
        for suffix in ("-wal", "-shm"):
            (system.state_dir / f"postbell.db{suffix}").unlink(missing_ok=True)
        (tmp_path / "backup.db").replace(system.state_dir / "postbell.db")
        system.serve()
        assert system.status()["live"] == 1
        again = system.send(numbered(2), ALICE)
        assert again > before
        system.wait_drained()
        assert system.status()["live"] == 2


def test_a_file_that_is_no_database_is_refused(tmp_path):
    with System(tmp_path) as system:
        system.state_dir.mkdir()
        (system.state_dir / "postbell.db").write_bytes(os.urandom(20_000))
        for command in (("serve",), ("user", "list"), ("status",), ("salvage",)):
            refused = system.run(*command, check=False)
            assert refused.returncode == 1
            assert "restore a backup" in refused.stderr + refused.stdout
            assert "Traceback" not in refused.stderr


def test_mail_that_meets_damage_is_refused_and_not_lost():
    class Damaged:
        async def keep(self, *_, **__):
            raise StoreCorruptError("page 7")

    async def story():
        intake = Intake(store=Damaged(), directory=UNUSED, discard=UNUSED)
        return await intake.accept(mail(to(1, "alice"), to(2, "bob")))

    assert [str(reply)[:9] for reply in asyncio.run(story())] == ["451 4.3.0"] * 2


def test_a_state_directory_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "state").write_text("a file where a directory should be")
    with System(tmp_path) as system:
        for command, code in ((("serve",), 2), (("user", "list"), 2), (("status",), 2)):
            refused = system.run(*command, check=False)
            assert refused.returncode == code
            assert str(tmp_path / "state") in refused.stderr + refused.stdout
            assert "Traceback" not in refused.stderr


def test_a_run_file_that_cannot_be_written_does_not_end_the_bridge(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(runfile, "write", full)

    async def story():
        bridge = Bridge(loading.load())
        bridge.presence.tell()
        await bridge.store.close()
        bridge.spool.close()

    asyncio.run(story())


def test_file_descriptors_that_run_out_are_survived(tmp_path):
    with System(tmp_path, POSTBELL_LIMITS__CONNECTIONS_PER_ADDRESS="400") as system:
        system.add("alice")
        process = system.serve()
        address = system.facts("bridge")["smtp"]
        host, _, port = address.rpartition(":")
        hand_in(address, numbered(0))
        used = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 10, limits[1]))
        crowd = []
        for _ in range(40):
            try:
                crowd.append(smtplib.SMTP(host, int(port), timeout=0.5))
            except OSError:
                continue
        assert 5 <= len(crowd) <= 15, "it ran out of descriptors"
        kept = crowd[0]
        kept.ehlo("test.example")
        assert kept.mail("bob@example.net")[0] == 250
        assert kept.rcpt(ALICE)[0] == 250
        assert kept.data(numbered(1))[0] == 250, "who is connected is served"
        for smtp in crowd:
            smtp.close()

        def taken_again():
            try:
                return hand_in(address, numbered(2)).startswith("250 ")
            except OSError:
                return False

        until(taken_again, what="new connections to be taken again")
        assert process.poll() is None
        system.wait_drained()
        assert system.status()["live"] == 3
