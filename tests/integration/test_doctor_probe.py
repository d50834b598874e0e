"""The probe of `postbell doctor` through a real Postbell: what it finds, and that nothing of it is left or seen."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.config import loading
from bridge.doctor import rounds
from bridge.doctor.probe import probed
from tests.support.system import ROOT, System
from tests.support.waiting import until

COUNTERS = {"sqlite_sequence", "revision", "changed_login"}
"""Tables of numbers that only grow."""
PROBES = "SELECT count(*) FROM user WHERE name LIKE 'postbell-doctor-%'"
ALWAYS = {"mail-bridge/main/status", *(f"mail/alice/{view}" for view in ("box", "last", "text", "unread"))}
MAIL = b"From: Carol <carol@example.net>\nSubject: Real\n\nHello\n"


def rows(path):
    """All rows of a database but its counters."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in {*tables} - COUNTERS}


class Listener:
    """A device or an administrator that hears all it may."""

    def __init__(self, port, login, topic_filter):
        self.heard = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=login["username"])
        self.client.username_pw_set(login["username"], login["password"])
        self.client.on_connect = lambda client, *_: client.subscribe(topic_filter, 1)
        self.client.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()


def retained(system, admin):
    """What the broker has retained: complete when what has to be there is, and nothing came between two looks."""
    looked = [-1]

    def complete():
        before, looked[0] = looked[0], len(listener.heard)
        return before == looked[0] and {topic for topic, _ in listener.heard} >= ALWAYS

    with Listener(system.mqtt_port(), admin, "#") as listener:
        until(complete, what="the retained set")
        return sorted(each for each in listener.heard if not each[0].startswith("$"))


def doctor(system, *arguments, **environment):
    """The exit code, and what is not fine by check."""
    before = system.environment
    system.environment = before | environment
    try:
        done = system.run("doctor", "--json", *arguments, check=False)
    finally:
        system.environment = before
    findings = json.loads(done.stdout)
    assert not any(finding["ok"] is not True and not finding["problem"] for finding in findings)
    return done.returncode, {each["check"]: each for each in findings}


def broken(findings):
    return {check for check, finding in findings.items() if finding["ok"] is False}


@contextmanager
def silent():
    """Somebody at a port who takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def serving(each):
    """Somebody at a port who does the same with each connection."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    each(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def answering(*replies):
    """Somebody at a port who speaks LMTP, and knows what to say."""

    def say(connection):
        with connection.makefile("rwb") as lines:
            for reply in replies:
                lines.write(reply)
                lines.flush()
                if not lines.readline():
                    break

    return serving(say)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    directory = tmp_path_factory.mktemp("probe")
    (directory / "state").mkdir(mode=0o700)
    with System(directory, POSTBELL_BODY__TOTAL="1M") as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def real(system):
    """Alice with a device and a mail, and an administrator."""
    admin = json.loads(system.run("admin", "add", "root", "--json").stdout)
    phone = system.add("alice")
    system.send(MAIL, "alice@example.org")
    system.wait_drained()
    return phone, admin


@pytest.fixture
def as_before(system, real):
    """Whatever a test does, afterwards rows and topics are as before, and a real device has heard nothing."""
    phone, admin = real
    topics, kept = retained(system, admin), rows(system.state_dir / "postbell.db")
    with Listener(system.mqtt_port(), phone, "mail/alice/#") as device:
        until(lambda: len(device.heard) >= 4, what="alice's topics")
        heard = list(device.heard)
        yield
        system.wait_drained()
        assert rows(system.state_dir / "postbell.db") == kept
        assert retained(system, admin) == topics
        assert device.heard == heard


@pytest.mark.usefixtures("as_before")
def test_nothing_of_a_probe_is_left_or_seen(system):
    code, findings = doctor(system)
    assert (code, broken(findings)) == (0, set())
    assert {check for check in findings if check.startswith(("way", "isolation"))} - {"way.handed"} == {
        check for check, finding in findings.items() if finding["ok"] and check.startswith(("way", "isolation"))
    }
    assert findings["way.handed"]["problem"].startswith("no mail server of this machine was set up")
    assert findings["clock.ids"]["ok"]


@pytest.mark.usefixtures("as_before")
def test_who_only_wants_to_look_makes_nothing(system):
    before = (system.state_dir / "postbell.db-wal").read_bytes()
    code, findings = doctor(system, "--look-only")
    assert (code, findings["way.accepted"]["problem"]) == (0, "no probe was wanted")
    assert (system.state_dir / "postbell.db-wal").read_bytes() == before


@contextmanager
def at_work(system, place):
    """A doctor that waits for somebody silent in the middle of its probe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "doctor", "--json"],
        cwd=system.directory,
        env=system.environment | {"PYTHONPATH": str(ROOT), "POSTBELL_LMTP__LISTEN": place},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with closing(sqlite3.connect(system.state_dir / "postbell.db")) as connection:
        until(lambda: connection.execute(PROBES).fetchone()[0] == 2, what="the throw-away accounts")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_is_interrupted_puts_away_what_was_made(system, number, code):
    with silent() as place, at_work(system, place) as process:
        process.send_signal(number)
        out, errors = process.communicate(timeout=30)
        assert process.returncode == code, (out, errors)
        assert "Traceback" not in errors


@pytest.mark.usefixtures("as_before")
def test_what_a_killed_one_left_the_next_one_removes_and_two_do_not_meet(system):
    with silent() as place, at_work(system, place) as process:
        process.send_signal(signal.SIGSTOP)
        _, findings = doctor(system)
        assert "another doctor is at work" in findings["way.accepted"]["problem"]
        assert findings["way.accepted"]["ok"] is None
    with closing(sqlite3.connect(system.state_dir / "postbell.db")) as connection:
        assert connection.execute(PROBES).fetchone() == (2,)
    assert doctor(system)[0] == 0


@pytest.mark.usefixtures("as_before")
def test_a_mail_that_is_not_taken(system):
    refused = (b"220 x\r\n", b"250 x\r\n", b"250 x\r\n", b"451 4.3.0 try later\r\n")
    with answering(*refused) as place:
        _, findings = doctor(system, POSTBELL_LMTP__LISTEN=place)
    assert "lmtp did not take a mail for a user: 451 4.3.0 try later" in findings["way.accepted"]["problem"]
    assert broken(findings) == {"way.accepted", "listener.lmtp"}


@pytest.mark.usefixtures("as_before")
def test_who_may_not_hand_in_mail_here_is_no_fault(system):
    with answering(b"554 5.7.1 Your address may not send mail here\r\n") as place:
        _, findings = doctor(system, POSTBELL_LMTP__LISTEN=place)
    assert findings["way.accepted"]["ok"] is None


def hanging_up(then):
    """Somebody at a port who hangs up on whoever comes, and does something else first."""
    return serving(lambda _: then())


@pytest.mark.usefixtures("as_before")
def test_a_probe_that_has_no_time_left_puts_away_what_it_made_and_calls_nothing_broken(system, monkeypatch):
    over = threading.Event()

    def monotonic():
        return time.monotonic() + (rounds.TOTAL_S if over.is_set() else 0)

    def came():
        with closing(sqlite3.connect(system.state_dir / "postbell.db")) as connection:
            if connection.execute(PROBES).fetchone()[0]:  # else it only looks
                over.set()

    with hanging_up(came) as place:
        for name, value in (system.environment | {"POSTBELL_LMTP__LISTEN": place}).items():
            monkeypatch.setenv(name, value)
        settings = loading.load(None)
        walk = rounds.Round(
            settings,
            configuration=None,
            now_ms=lambda: time.time_ns() // 1_000_000,
            monotonic=monotonic,
            probing=probed.Probing(),
        )
        findings = list(walk.findings())
    late = {finding.check: finding.ok for finding in findings if finding.problem == "no time was left for it"}
    assert late.keys() >= {"way.accepted", "way.published", "way.told", "way.seen", "isolation.read"}
    assert set(late.values()) == {None}
