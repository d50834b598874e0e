"""Workers: mail is conversed and read in processes of their own, and all that the ingress promises holds as before."""

from __future__ import annotations

import json
import os
import select
import signal
import smtplib
import socket
import ssl
import struct
from pathlib import Path

import pytest

from bridge.daemon import control
from bridge.store import amounts, offline
from tests.support.certificates import self_signed
from tests.support.system import System
from tests.support.waiting import PATIENCE_S, until

ALICE = "alice@example.org"
MAIL = b"From: Bob <bob@example.net>\r\nSubject: %d\r\nMessage-ID: <%d@x>\r\n\r\n%s\r\n"


def numbered(number, size=10):
    return MAIL % (number, number, b"x" * size)


class Crewed(System):
    """A system with two workers."""

    def __init__(self, directory, **overrides):
        super().__init__(directory, POSTBELL_BRIDGE__WORKERS="2", **overrides)

    def begin(self):
        """Alice, and all processes at work."""
        self.add("alice")
        process = self.serve()
        self.ready(2)
        return process

    def events(self, name):
        lines = (self.directory / "serve.log").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each["event"] == name]

    def ready(self, count):
        until(lambda: len(self.events("worker_ready")) == count, what="the workers to be ready")

    def pid(self, worker):
        return [each["pid"] for each in self.events("worker_started") if each["worker"] == worker][-1]

    def senders(self):
        return control.ask(self.state_dir / "run", {"do": "figures"})["senders"]

    def live(self):
        with offline.reading(self.state_dir / "postbell.db") as connection:
            return amounts.live_messages(connection)


@pytest.fixture
def crewed(tmp_path):
    with Crewed(tmp_path) as system:
        yield system


class Talking:
    """A connection, spoken over by hand; the answer to the greeting is read."""

    def __init__(self, system):
        host, _, port = system.facts("bridge")["smtp"].rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        self.lines = self.socket.makefile("rb")
        self.greeting = self.lines.readline()

    def ask(self, text):
        self.socket.sendall(text)
        return self.lines.readline()

    def until_data(self):
        for command in (b"HELO x\r\n", b"MAIL FROM:<bob@example.net>\r\n", b"RCPT TO:<alice@example.org>\r\n"):
            assert self.ask(command).startswith(b"250 ")
        assert self.ask(b"DATA\r\n").startswith(b"354 ")
        return self

    def gone(self):
        """Whether the connection ends without another word."""
        try:
            return self.lines.readline() == b""
        except ConnectionResetError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()


def test_mail_is_read_by_workers_and_kept_by_the_bridge(crewed):
    crewed.begin()
    with crewed.smtp() as first, crewed.smtp() as second:
        for number, smtp in enumerate((first, second, first, second)):
            assert smtp.sendmail("bob@example.net", [ALICE], numbered(number)) == {}
        assert crewed.senders() == 2
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            first.sendmail("bob@example.net", ["nobody@example.net"], numbered(9))
        with pytest.raises(smtplib.SMTPDataError):
            second.sendmail("bob@example.net", [ALICE], b"Received: x\r\n" * 60 + numbered(9))
    assert crewed.live() == 4
    crewed.wait_drained()
    until(lambda: crewed.senders() == 0, what="the senders to be counted out")
    figures = control.ask(crewed.state_dir / "run", {"do": "figures"})
    assert (figures["accepted"], figures["refused"], figures["headers"]) == (4, 1, 4)
    assert {each["process"] for each in crewed.events("message_kept")} == {"bridge"}
    assert [each["process"] for each in crewed.events("message_refused")] in (["worker-1"], ["worker-2"])


def test_a_large_mail_is_handed_over_by_the_name_of_its_file(crewed):
    crewed.begin()
    crewed.send(numbered(1, 400_000), ALICE)
    [file] = (crewed.state_dir / "spool").glob("*.eml")
    assert file.read_bytes() == numbered(1, 400_000)
    crewed.send(numbered(1, 400_000), ALICE)
    until(lambda: len(list((crewed.state_dir / "spool").glob("*.eml"))) == 1, what="the copy's file to be removed")


def test_the_gate_is_one_for_all_workers(tmp_path):
    with Crewed(tmp_path, POSTBELL_LIMITS__CONNECTIONS_PER_ADDRESS="3") as system:
        system.begin()
        inside = [Talking(system) for _ in range(3)]
        assert all(each.greeting.startswith(b"220 ") for each in inside)
        with Talking(system) as refused:
            assert refused.greeting.startswith(b"421 ")
        with inside.pop():
            pass
        until(lambda: system.senders() == 2, what="one to be counted out")
        inside.append(Talking(system))
        assert inside[-1].greeting.startswith(b"220 ")
        for each in inside:
            with each:
                assert each.ask(b"QUIT\r\n").startswith(b"221 ")


def test_a_worker_that_is_killed_in_mid_mail_costs_nobody_a_kept_mail(tmp_path):
    with Crewed(tmp_path, POSTBELL_LIMITS__CONNECTIONS_PER_ADDRESS="2") as system:
        system.begin()
        with Talking(system) as first, Talking(system) as second:
            for each in (first, second):
                each.until_data()
            first.socket.sendall(numbered(1))
            second.socket.sendall(numbered(2))
            os.kill(system.pid("worker-1"), signal.SIGKILL)
            lost, going = (first, second) if first_is_gone(first, second) else (second, first)
            assert lost.gone()
            assert going.ask(b".\r\n").startswith(b"250 ")
        system.ready(3)
        assert [each["worker"] for each in system.events("worker_died")] == ["worker-1"]
        until(lambda: system.senders() == 0, what="all to be counted out")
        with Talking(system) as again, Talking(system) as other:
            assert other.greeting.startswith(b"220 "), "those of the dead were counted out"
            number = 1 if lost is first else 2
            again.until_data()
            assert again.ask(numbered(number) + b".\r\n").startswith(b"250 ")
        assert system.live() == 2


def first_is_gone(first, second):
    """Which of two connections has ended: the other says nothing, since it is in the middle of its data."""

    [readable] = select.select([first.socket, second.socket], [], [], PATIENCE_S)[0]
    return readable is first.socket


def test_what_was_kept_before_its_worker_died_is_a_copy_when_it_comes_again(crewed):
    """The 250 is lost between bridge and sender: that it was kept is known by the mail itself."""
    crewed.begin()
    with Talking(crewed) as sender:
        sender.until_data()
        host = crewed.pid("worker-1")
        os.kill(crewed.pid("worker-2"), signal.SIGKILL)
        assert sender.ask(numbered(1) + b".\r\n").startswith(b"250 ")
        os.kill(host, signal.SIGKILL)
        assert sender.gone()
    with Talking(crewed) as sender:  # maybe the bridge itself takes it, as long as there is no worker
        sender.until_data()
        assert b"kept before" in sender.ask(numbered(1) + b".\r\n")
    assert crewed.live() == 1
    crewed.ready(4)


def test_without_a_bridge_there_are_no_workers(crewed):
    process = crewed.begin()
    pids = [crewed.pid(name) for name in ("worker-1", "worker-2")]
    with Talking(crewed) as sender:
        sender.until_data()
        process.kill()
        process.wait()
        assert sender.gone()
    until(lambda: not any(alive(pid) for pid in pids), what="the workers to end")


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_at_the_end_mail_under_way_is_finished_and_the_rest_told_to_come_later(crewed):
    process = crewed.begin()
    with Talking(crewed) as idle, Talking(crewed) as busy:
        busy.until_data()
        process.send_signal(signal.SIGTERM)
        assert idle.lines.readline().startswith(b"421 ")
        assert busy.ask(numbered(1) + b".\r\n").startswith(b"250 ")
        assert busy.lines.readline().startswith(b"421 ")
    assert process.wait(PATIENCE_S) == 0
    assert crewed.live() == 1
    assert crewed.events("worker_died") == []


def test_users_who_come_and_go_are_known_to_workers(crewed):
    crewed.begin()
    with pytest.raises(AssertionError, match="No such user"):
        crewed.send(numbered(1), "bob@example.org")
    crewed.run("user", "add", "bob", "--address", "bob@example.org")

    def taken():
        with crewed.smtp() as smtp:
            smtp.ehlo("test.example")
            smtp.mail("x@example.net")
            return smtp.rcpt("bob@example.org")[0] == 250

    until(taken, what="the new user to be known")


def test_logins_are_checked_by_the_bridge_and_tls_is_spoken_by_workers(tmp_path):
    chain, key = self_signed(tmp_path)
    given = {"TLS_CERT": str(chain), "TLS_KEY": str(key), "TLS_LISTEN": "127.0.0.1:0", "NETWORKS": "[]"}
    with Crewed(tmp_path, **{f"POSTBELL_SMTP__{name}": value for name, value in given.items()}) as system:
        system.begin()
        login = json.loads(system.run("sender", "add", "camera", "--json").stdout)
        context = ssl.create_default_context(cafile=str(chain))
        port = system.facts("bridge")["smtps"].rpartition(":")[2]
        with smtplib.SMTP_SSL("localhost", int(port), context=context, timeout=PATIENCE_S) as smtp:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                smtp.login(login["username"], "wrong")
            smtp.login(login["username"], login["password"])
            assert smtp.sendmail("bob@example.net", [ALICE], numbered(1)) == {}
        assert {each["process"] for each in system.events("smtp_login_failed")} < {"worker-1", "worker-2"}
        assert system.live() == 1


def test_over_lmtp_each_recipient_is_answered(tmp_path):
    with Crewed(tmp_path, POSTBELL_LMTP__LISTEN=f"unix:{tmp_path}/lmtp") as system:
        system.begin()
        with smtplib.LMTP(f"{tmp_path}/lmtp") as lmtp:
            refused = lmtp.sendmail("bob@example.net", [ALICE, "nobody@example.net"], numbered(1))
        assert list(refused) == ["nobody@example.net"]
        assert system.live() == 1


def test_who_comes_through_a_load_balancer_is_conversed_with_by_the_bridge(tmp_path):
    with Crewed(tmp_path, POSTBELL_SMTP__PROXIES="127.0.0.1", POSTBELL_SMTP__NETWORKS="192.0.2.0/24") as system:
        system.begin()
        host, _, port = system.facts("bridge")["smtp"].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as sender:
            sender.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n")
            lines = sender.makefile("rb")
            assert lines.readline().startswith(b"220 ")
            sender.sendall(b"MAIL FROM:<x@example.net>\r\n")
            assert lines.readline().startswith(b"503 ")
            assert system.senders() == 1


def test_a_sender_that_resets_is_counted_out(crewed):
    crewed.begin()
    for _ in range(20):
        with Talking(crewed) as sender:
            sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: crewed.senders() == 0, what="all to be counted out")
