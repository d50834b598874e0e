"""`postbell doctor` on installations whose devices are rung: what is in the way is found, and nobody is rung for it."""

from __future__ import annotations

import json
import os
import socket
import sys

import pytest

from bridge.cli import main
from bridge.doctor.judge.check import Check
from bridge.kept import PushResult, PushWaiting, Tried
from bridge.push import writing
from bridge.store import notifications, offline, pairing, subscriptions
from tests.support.push_service import HOST, Device, PushService
from tests.support.stored import COUNT, DAYS, NOON_MS, add_user

PUSH = {str(check) for check in Check if check.hop == "push"}


@pytest.fixture
def service(tmp_path):
    with PushService(tmp_path / "service") as service:
        yield service


@pytest.fixture
def doctor(tmp_path, service, monkeypatch, capsys):
    """Runs it where alice's phone is rung: what it says of push, by check."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    add_user(directory / "postbell.db", "alice")
    monkeypatch.setenv("SSL_CERT_FILE", str(service.chain))
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(directory))
    monkeypatch.setenv("POSTBELL_PUSH__ALLOW", HOST)
    monkeypatch.setenv("POSTBELL_PUSH__SUBJECT", "mailto:root@example.org")
    for listener in ("SMTP", "BROKER"):  # at ports that nobody else has
        monkeypatch.setenv(f"POSTBELL_{listener}__LISTEN", "127.0.0.1:0")
    monkeypatch.chdir(tmp_path)

    def run():
        monkeypatch.setattr(sys, "argv", ["postbell", "doctor", "--json", "--look-only"])
        main.run()
        found = {each["check"]: each for each in json.loads(capsys.readouterr().out) if each["check"] in PUSH}
        assert found.keys() == PUSH
        return found

    return run


@pytest.fixture
def change(tmp_path):
    """Has an operation done to the database."""

    def done(operation, *arguments, **options):
        path = tmp_path / "state" / "postbell.db"
        with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
            return operation(transaction, *arguments, **options)

    return done


@pytest.fixture
def rung(change, service):
    """Has alice's phone rung at an endpoint; the subscription."""
    change(pairing.add_device, "alice", "phone")

    def at(endpoint=None, host=HOST):
        subscription = Device().at(endpoint or service.endpoint(), host)
        change(subscriptions.key, writing.fresh_number)
        change(subscriptions.put, 1, "phone", subscription)
        return subscription

    return at


def tried(subscription, **what):
    waiting = PushWaiting(
        user_id=1, user="alice", device="phone", number=1, created_ms=NOON_MS, failures=0, subscription=subscription
    )
    return Tried(waiting=waiting, **what)


def wrong(found):
    return {check for check, each in found.items() if each["ok"] is False}


def test_nobody_is_rung(doctor):
    assert {each["ok"] for each in doctor().values()} == {None}


def test_all_is_fine_and_nobody_was_rung_for_it(doctor, rung, change, service):
    change(notifications.record, [tried(rung(), result=PushResult.SENT, skew_s=1)])
    found = doctor()
    assert {check: each["ok"] for check, each in found.items()} == dict.fromkeys(PUSH, True)
    assert service.posts == []


def test_a_key_that_is_damaged(doctor, rung, change):
    rung()
    change(lambda transaction: transaction.connection.execute("UPDATE push_key SET private = x'00'"))
    assert doctor()["push.key"]["ok"] is False


def test_apple_without_a_contact(doctor, rung, monkeypatch):
    rung("https://web.push.apple.com/x", "web.push.apple.com")
    monkeypatch.setenv("POSTBELL_PUSH__SUBJECT", "")
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    found = doctor()
    assert wrong(found) == {"push.subject", "push.resolves"}
    assert found["push.resolves"]["problem"].startswith("the push service web.push.apple.com has no address here")


def nowhere(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_device_that_names_this_machine(doctor, rung, monkeypatch):
    rung()
    monkeypatch.setenv("POSTBELL_PUSH__ALLOW", "")
    found = doctor()
    assert wrong(found) == {"push.allowed"}
    assert found["push.allowed"]["problem"].startswith("the push service localhost is 127.0.0.1, ")


def test_nobody_there_and_nobody_to_trust(doctor, rung, service, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    rung(f"https://{HOST}:{port}/x")
    assert wrong(doctor()) == {"push.reached"}
    rung()
    assert wrong(doctor()) == set()
    with PushService(tmp_path / "other") as other:
        monkeypatch.setenv("SSL_CERT_FILE", str(other.chain))
        found = doctor()
    assert "certificate is not trusted" in found["push.reached"]["problem"]
    assert service.posts == []


def test_a_push_service_that_takes_nothing_and_a_clock_that_is_off(doctor, rung, change):
    subscription = rung()
    change(notifications.record, [tried(subscription, trouble="403: no", skew_s=90_000)])
    found = doctor()
    assert wrong(found) == {"push.taken", "push.clock"}
    assert found["push.clock"]["problem"] == "this clock is 90000 s behind that of localhost"


def test_switched_off(doctor, rung, monkeypatch):
    rung()
    monkeypatch.setenv("POSTBELL_PUSH__ENABLED", "false")
    assert {each["ok"] for each in doctor().values()} == {None}
