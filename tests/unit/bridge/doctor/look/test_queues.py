"""The queues of mail servers, as their programs tell of them."""

from __future__ import annotations

import json
import os

import pytest

from bridge.daemon import mail_servers
from bridge.doctor.judge.mta import Waiting
from bridge.doctor.look import queues

NOW_S = 1_800_000_000.0
ALICE = "alice=example.org@postbell.invalid"
PROBE = "postbell-doctor-a=doctor.invalid@postbell.invalid"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program that says something; there are no others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(mail_servers, "PLACES", "")

    def make(name, script):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return make


def in_postfix(queue, address, arrival_time, reason=""):
    told = {"address": address} | ({"delay_reason": reason} if reason else {})
    mail = {"queue_name": queue, "queue_id": "A1", "arrival_time": arrival_time, "recipients": [told]}
    return json.dumps(mail)


POSTFIX = "\n".join((
    in_postfix("deferred", ALICE, NOW_S - 60, "refused now"),
    in_postfix("deferred", ALICE, NOW_S - 7200, "refused first"),
    in_postfix("active", ALICE, NOW_S - 1),
    in_postfix("deferred", PROBE, NOW_S - 9000, "a probe's"),
    in_postfix("deferred", "bob@example.org", NOW_S - 9000, "nothing of ours"),
    '{"queue_name": "deferr',
))  # fmt: skip


def test_postfixs_mail_for_postbell_with_the_newest_reason(program, tmp_path):
    (tmp_path / "queue").write_text(POSTFIX)
    program("postqueue", f'[ "$*" = "-c /etc/p -j" ] && cat {tmp_path}/queue')
    assert queues.waiting("postfix", "/etc/p", now_s=NOW_S) == Waiting(2, 7200, "refused now")
    found, _ = queues.entries("postfix", "/etc/p", now_s=NOW_S)
    assert [each.id for each in found if each.probe] == ["A1"]


def test_mail_that_is_on_its_way_does_not_wait_and_what_is_on_hold_does():
    assert [each.reason for each in queues.postfix(in_postfix("active", ALICE, 1), NOW_S)] == [""]
    assert [each.reason for each in queues.postfix(in_postfix("hold", ALICE, 1), NOW_S)] == ["it is on hold"]


def test_a_queue_that_may_not_be_looked_at(program):
    program("postqueue", "echo 'postqueue: fatal: not allowed' >&2; exit 69")
    waiting = queues.waiting("postfix", "/etc/p", now_s=NOW_S)
    assert waiting.refused == "its queue cannot be asked: postqueue: fatal: not allowed"
    program("postqueue", "exit 0")
    assert queues.waiting("postfix", "/etc/p", now_s=NOW_S) == Waiting()


def test_a_postfix_that_does_not_run(program, monkeypatch, tmp_path):
    program("postqueue", "echo 'postqueue: fatal: Queue report unavailable - mail system is down' >&2; exit 69")
    program("postfix", "exit 1")
    for uid in (0, 65_534):  # root's postqueue reads the files instead
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert queues.waiting("postfix", "/etc/p", now_s=NOW_S) == Waiting(down=True)
    for name in ("postqueue", "postfix"):
        (tmp_path / name).unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not queues.down("postfix", "/etc/p")


@pytest.mark.usefixtures("program")
def test_a_program_that_cannot_be_run(tmp_path):
    (tmp_path / "postqueue").write_bytes(b"\x00")
    (tmp_path / "postqueue").chmod(0o755)
    assert "Exec format error" in queues.waiting("postfix", "/etc/p", now_s=NOW_S).refused


def test_a_program_that_is_not_there(program, monkeypatch, tmp_path):
    program("postqueue", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "smtpctl is not on this machine" in queues.waiting("opensmtpd", "/etc", now_s=NOW_S).refused


def test_a_long_queue_is_looked_through_as_far_as_there_is_time(program, monkeypatch):
    monkeypatch.setattr(queues, "ASK_S", 0.5)
    program("postqueue", f"echo '{in_postfix('deferred', ALICE, NOW_S - 60, 'refused')}'; exec sleep 60")
    assert queues.waiting("postfix", "/etc/p", now_s=NOW_S) == Waiting(1, 60, "refused", whole=False)


OPENSMTPD = "\n".join((
    f"9b2e|local|mta|auth|carol@example.org|alice@example.org|{ALICE}|{NOW_S - 60:.0f}|1|1|0|pending|2|Network error",
    f"9b2f|local|mta|auth|carol@example.org|alice@example.org|{ALICE}|{NOW_S - 3600:.0f}|1|1|0|inflight|2|",
    f"9b30|local|mta|auth|carol@example.org|alice@example.org|{ALICE}|{NOW_S - 1:.0f}|1|1|0|inflight|2|",
    "9b31|local|mda|auth|carol@example.org|bob@example.org|bob@example.org|1|1|1|0|pending|1|full",
))  # fmt: skip


def test_opensmtpds_mail_for_postbell_and_what_says_no_reason_for_long(program, tmp_path):
    (tmp_path / "queue").write_text(OPENSMTPD)
    program("smtpctl", f"[ \"$*\" = 'show queue' ] && cat {tmp_path}/queue")
    assert queues.waiting("opensmtpd", "/etc", now_s=NOW_S) == Waiting(2, 3600, "Network error")
    (tmp_path / "queue").write_text(OPENSMTPD.splitlines()[1])
    assert queues.waiting("opensmtpd", "/etc", now_s=NOW_S) == Waiting(1, 3600, "it does not say why")


EXIM = """ 2h   524 1vOaBc-000001-2X <bob@example.org>
        D carol@example.org
          alice@example.org

 5m   524 1vOaBd-000001-2Y <>
          postbell-doctor-a=doctor.invalid@postbell.invalid

 3d   524 1vOaBe-000001-2Z <bob@example.org>
          dave@example.net
"""
EXIM_LOG = """case $2 in
*X) echo "22:00:00 alice@example.org R=postbell T=postbell defer (-1): Failed to connect to socket /l";;
*Y) echo "22:00:00 postbell-doctor-a=doctor.invalid@postbell.invalid R=postbell_probe T=postbell defer (-1): No";;
*Z) echo "22:00:00 dave@example.net R=dnslookup T=remote_smtp defer (111): Connection refused";;
esac
"""


def test_exims_mail_that_its_transport_to_postbell_could_not_hand_over(program, tmp_path):
    (tmp_path / "queue").write_text(EXIM)
    program("exim4", f"case $1 in -bp) cat {tmp_path}/queue;; -Mvl) {EXIM_LOG};; esac")
    assert queues.waiting("exim", "/etc/exim4", now_s=NOW_S) == Waiting(1, 7200, "Failed to connect to socket /l")


@pytest.mark.parametrize("server", queues.QUEUES)
def test_the_commands_that_are_told_name_the_servers_own_program(server):
    assert queues.flush(server, "/etc/x")
    assert "A1" in queues.removal(server, "/etc/x", "A1")
