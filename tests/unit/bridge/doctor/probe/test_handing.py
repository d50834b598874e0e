"""Giving a mail to a mail server whose programs are missing, silent, or say no."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bridge.daemon import mail_servers
from bridge.doctor.judge.way import Handed
from bridge.doctor.look.deadline import OutOfTimeError, TimeLeft
from bridge.doctor.probe import handing
from bridge.doctor.probe.accounts import ThrowAway
from bridge.doctor.probe.handing import Carrier
from bridge.doctor.probe.names import USERS
from bridge.store import database

PROBE = ThrowAway(USERS[0], f"{USERS[0]}@doctor.invalid", "")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program of a mail server; there are no others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(mail_servers, "PLACES", "")
    monkeypatch.setattr(handing, "TAKES_S", 0.5)
    monkeypatch.setattr(handing, "HANDS_OVER_S", 0.1)

    def make(name, script):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return make


@pytest.fixture
def give(tmp_path):
    store = tmp_path / "postbell.db"
    database.prepare(store)

    def to(server, within_s=60.0):
        time_left = TimeLeft(time.monotonic() + within_s, time.monotonic)
        return Carrier(server, "/etc/x").hand_in(PROBE, "token", database=store, patience=time_left)

    return to


def test_it_is_from_nobody_and_addressed_as_copies_are(program, give, tmp_path):
    program("sendmail", f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/mail')
    program("smtpctl", "")
    assert give("opensmtpd") == Handed("OpenSMTPD", queued=False)
    words = (tmp_path / "words").read_text().split()
    assert words == ["-N", "never", "-i", "-f", "<>", "postbell-doctor-a=doctor.invalid@postbell.invalid"]
    mail = Path(tmp_path / "mail").read_bytes()
    assert b"Message-ID: <token@doctor.invalid>\n" in mail
    assert b"\r" not in mail


@pytest.mark.parametrize(
    ("script", "told"), [("echo 'not you' >&2; exit 1", "not you"), ("exec sleep 60", "no answer")]
)
def test_what_it_says_when_it_does_not_take_it_is_told(program, give, script, told):
    program("sendmail", script)
    assert give("opensmtpd") == Handed("OpenSMTPD", refusal=told)


def test_a_program_that_is_not_there(program, give, monkeypatch, tmp_path):
    program("other", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert give("opensmtpd").refusal == "No such file or directory"


def test_a_silent_one_says_nothing_when_all_time_is_over(program, give):
    program("sendmail", "exec sleep 60")
    with pytest.raises(OutOfTimeError):
        give("opensmtpd", within_s=0.1)


def test_exim_is_given_nothing_that_it_has_no_route_for(program, give, tmp_path):
    program("exim4", f'case $1 in -bt) echo "is undeliverable: Unrouteable address";; *) touch {tmp_path}/sent;; esac')
    assert "has no router postbell_probe" in give("exim").refusal
    assert not (tmp_path / "sent").exists()
    program("exim4", 'case $1 in -bt) echo "router = postbell_probe";; esac')
    assert give("exim") == Handed("Exim", queued=False)


def test_a_queue_that_may_not_be_asked_leaves_it_open(program, give):
    program("sendmail", "")
    program("smtpctl", "echo 'need root privileges' >&2; exit 1")
    assert give("opensmtpd") == Handed("OpenSMTPD", queued=None)
    assert Carrier("opensmtpd", "/etc/x").clear() == ""
