"""The probe of `postbell doctor` at a broker that is not ours: with rules, with holes in them, or hanging."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing, contextmanager

import pytest

from tests.integration.test_doctor_probe import PROBES, broken, doctor
from tests.support.mosquitto import Mosquitto, RuledMosquitto
from tests.support.system import System
from tests.support.waiting import until

DEVICES = ("postbell-doctor-a.probe", "postbell-doctor-b.probe")
PASSWORD = "of-the-probe"


@contextmanager
def beside(directory, broker, **settings):
    """Postbell with a broker that is not ours."""
    (directory / "state").mkdir(mode=0o700)
    word = directory / "word"
    word.touch(mode=0o600)
    word.write_text("of-the-bridge")
    environment = {
        "POSTBELL_BROKER__EMBEDDED": "false",
        "POSTBELL_MQTT__URL": broker.url,
        "POSTBELL_MQTT__PASSWORD_FILE": str(word),
        "POSTBELL_BODY__TOTAL": "1M",
        **settings,
    }
    with System(directory, **environment) as system:
        system.serve()
        yield system


@pytest.fixture(scope="module")
def ruled(tmp_path_factory):
    """Mosquitto with the rules that Postbell gives, and with the doctor's logins; Postbell beside it."""
    directory = tmp_path_factory.mktemp("ruled")
    roles = {"bridge": "bridge"} | dict.fromkeys(DEVICES, "device")
    passwords = {"bridge": "of-the-bridge"} | dict.fromkeys(DEVICES, PASSWORD)
    broker = RuledMosquitto(directory, roles, passwords)
    with broker, beside(directory, broker) as system:
        yield broker, system


@contextmanager
def without(broker, rule):
    """The broker has one rule less meanwhile."""
    rules = broker.configuration.with_name("acl")
    text = rules.read_text()
    assert rule in text
    told(broker, rules, text.replace(rule, ""))
    try:
        yield
    finally:
        told(broker, rules, text)


def told(broker, rules, text):
    before = broker.logged("Reloading config")
    rules.write_text(text)
    broker.process.send_signal(signal.SIGHUP)
    until(lambda: broker.logged("Reloading config") > before, what="mosquitto to read its rules")


@pytest.fixture
def password(tmp_path):
    file = tmp_path / "probe-password"
    file.write_text(f"{PASSWORD}\n")
    return str(file)


def test_a_broker_that_knows_the_doctors_logins_is_tried_with_them(ruled, password):
    _, system = ruled
    code, findings = doctor(system, "--password-file", password)
    assert (code, broken(findings)) == (0, set())
    assert all(findings[f"isolation.{what}"]["ok"] for what in ("strangers", "read", "write", "session"))


def test_a_broker_that_does_not_know_them_is_told_of(ruled):
    _, system = ruled
    code, findings = doctor(system)
    assert (code, findings["way.login"]["ok"], findings["way.published"]["ok"]) == (0, None, True)
    assert "does not know the throw-away login" in findings["way.login"]["problem"]
    assert "--password-file" in findings["way.login"]["cure"]
    assert findings["isolation.read"]["ok"] is None
    assert findings["isolation.strangers"]["ok"]


def test_a_login_that_should_be_known_and_is_not(ruled, tmp_path):
    _, system = ruled
    (tmp_path / "wrong").write_text("wrong")
    _, findings = doctor(system, "--password-file", str(tmp_path / "wrong"))
    assert broken(findings) == {"way.login"}
    assert "a new device is not let in" in findings["way.login"]["problem"]
    refused = system.run("doctor", "--password-file", "/no/such/file", check=False)
    assert refused.returncode == 2
    assert "No such file" in refused.stderr


@pytest.mark.parametrize(
    ("rule", "check", "told"),
    [
        ("topic read mail/postbell-doctor-a/msg/+", "way.told", "did not give it to the device"),
        ("topic write mail/postbell-doctor-a/do/probe", "way.seen", "got no answer"),
    ],
)
def test_a_broker_whose_rules_lack_something(ruled, password, rule, check, told):
    broker, system = ruled
    with without(broker, rule):
        _, findings = doctor(system, "--password-file", password)
    assert check in broken(findings)
    assert told in findings[check]["problem"]


def test_a_broker_that_hangs(ruled, password):
    broker, system = ruled
    broker.process.send_signal(signal.SIGSTOP)
    try:
        _, findings = doctor(system, "--password-file", password)
    finally:
        broker.process.send_signal(signal.SIGCONT)
    assert {"way.login", "way.published"} <= broken(findings)
    assert "has not acknowledged" in findings["way.published"]["problem"]
    assert "wait to be cleared" in findings["way.cleared"]["problem"]
    system.wait_drained()


def test_a_broker_that_keeps_nobody_out(tmp_path):
    with Mosquitto(tmp_path, "max_queued_messages 0") as broker, beside(tmp_path, broker) as system:
        system.add("alice")
        code, findings = doctor(system)
        assert code == 1
        holes = {"isolation.strangers", "isolation.read", "isolation.write", "isolation.session"}
        assert broken(findings) == holes | {"broker.keeps", "broker.rules"}
        assert "anybody without a login" in findings["isolation.strangers"]["problem"]
        assert "another user's mail/<user>/" in findings["isolation.read"]["problem"]  # the first that comes
        assert "mail/<user>/" in findings["isolation.write"]["problem"]
        assert "took its session" in findings["isolation.session"]["problem"]
        with closing(sqlite3.connect(system.state_dir / "postbell.db")) as connection:
            assert connection.execute(PROBES).fetchone() == (0,)
        system.wait_drained()
        held = json.loads(system.run("reconcile", "--dry-run", "--json").stdout)
        assert (held["stale"], held["different"]) == (0, 0)
