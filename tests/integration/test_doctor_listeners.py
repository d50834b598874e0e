"""`postbell doctor` at a whole Postbell with all its listeners, and at their places when others have them."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.issued import issue
from tests.support.system import System
from tests.support.waiting import free_port

CAUSED = {
    "listener.smtp": "POSTBELL_SMTP__LISTEN",
    "listener.smtps": "POSTBELL_SMTP__TLS_LISTEN",
    "listener.lmtp": "POSTBELL_LMTP__LISTEN",
    "listener.mqtt": "POSTBELL_BROKER__LISTEN",
    "listener.mqtts": "POSTBELL_BROKER__TLS_LISTEN",
    "listener.websocket": "POSTBELL_BROKER__WEBSOCKET",
    "listener.secure_websocket": "POSTBELL_BROKER__SECURE_WEBSOCKET",
    "listener.http": "POSTBELL_HTTP__LISTEN",
}


@pytest.fixture(scope="module")
def places():
    return {variable: f"127.0.0.1:{free_port()}" for variable in CAUSED.values()}


@pytest.fixture(scope="module")
def system(tmp_path_factory, places):
    directory = tmp_path_factory.mktemp("listeners")
    (directory / "state").mkdir(mode=0o700)
    chain = str(issue("localhost").write(directory))
    files = {
        f"POSTBELL_{section}__TLS_{name}": chain.replace(".pem", end)
        for section in ("SMTP", "BROKER")
        for name, end in (("CERT", ".pem"), ("KEY", ".key"))
    }
    with System(directory, POSTBELL_BODY__TOTAL="1M", **places, **files) as made:
        yield made


def doctor(system):
    """The exit code, and all findings by their check."""
    done = system.run("doctor", "--json", check=False)
    return done.returncode, {each["check"]: each for each in json.loads(done.stdout)}


@contextmanager
def taken(place):
    """Somebody else has it, who never says a word."""
    host, _, port = place.rpartition(":")
    with socket.socket() as listening:
        listening.bind((host, int(port)))
        listening.listen()
        yield


@pytest.mark.parametrize("check", CAUSED)
def test_whoever_has_the_place_of_a_listener_is_named(system, places, check):
    place = places[CAUSED[check]]
    with taken(place):
        code, findings = doctor(system)
    assert code == 1
    assert not findings[check]["ok"]
    name = Path("/proc/self/comm").read_text().strip()
    assert f"= '{place}': {name} (process " in findings[check]["problem"]


def test_all_of_a_running_postbell_answer(system):
    system.environment.pop("POSTBELL_HTTP__LISTEN")
    system.serve()
    code, findings = doctor(system)
    broken = {check: finding for check, finding in findings.items() if finding["ok"] is False}
    assert broken == {}, list(broken.values())
    assert code == 0
    assert {check for check in CAUSED if findings[check]["ok"]} == CAUSED.keys() - {"listener.http"}
    assert {check for check, finding in findings.items() if check.startswith("certificate") and finding["ok"]} == {
        f"certificate.{what}" for what in ("readable", "dates", "key", "names", "chain")
    }
    system.environment["POSTBELL_LMTP__LISTEN"] = "127.0.0.1:1"
    system.environment["POSTBELL_HTTP__LISTEN"] = f"127.0.0.1:{free_port()}"
    code, findings = doctor(system)
    assert "does not listen" in findings["listener.http"]["problem"]
