"""The probe of `postbell doctor` by way of real mail servers: it arrives, or is told of, and none of it stays there."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.doctor.judge.way import Handed
from bridge.doctor.look.deadline import OutOfTimeError, TimeLeft
from bridge.doctor.probe import handing
from bridge.doctor.probe.accounts import ThrowAway
from bridge.doctor.probe.handing import Carrier
from bridge.doctor.probe.names import USERS
from bridge.store import database
from tests.conftest import need
from tests.integration import test_mta_exim, test_mta_opensmtpd
from tests.integration.test_mta_mosquitto import directory
from tests.integration.test_mta_postfix import started
from tests.support.machine import ROOT, machine, run
from tests.support.outside import OutsideSystem
from tests.support.system import System
from tests.support.waiting import until

__all__ = ["directory"]

PROBE = ThrowAway(USERS[0], f"{USERS[0]}@doctor.invalid", "")
ALL = {"way.handed", "way.accepted", "way.published", "way.login", "way.told", "way.seen", "way.cleared"}


def at(directory):
    """A place, as far as Postfix needs one."""
    place: Any = SimpleNamespace(directory=directory)
    return place


def listening(directory):
    return {"POSTBELL_LMTP__LISTEN": f"unix:{directory}/lmtp", "POSTBELL_LMTP__SOCKET_MODE": "0666"}


def checked(said, hop):
    """The answers of a hop by check."""
    return {each["check"]: each["ok"] for each in json.loads(said) if each["check"].startswith(f"{hop}.")}


def test_by_way_of_a_real_postfix_to_a_mosquitto_whose_logins_postbell_keeps(directory):
    need("postfix")
    with (
        OutsideSystem(directory, "mosquitto", POSTBELL_BODY__TOTAL="1M", **listening(directory)) as system,
        started(at(directory)) as postfix,
    ):
        system.start("bridge")
        system.wait_connected()
        run("sh", "-e", input=system.run("setup", "postfix", "--directory", str(postfix.etc)).stdout.encode())
        said = system.run("doctor", "--json", check=False).stdout
        assert checked(said, "way") == dict.fromkeys(ALL, True), said
        assert checked(said, "isolation") == dict.fromkeys(
            ("isolation.strangers", "isolation.read", "isolation.write", "isolation.session"), True
        )
        assert "to=<postbell-doctor-a=doctor.invalid@postbell.invalid>" in (directory / "log").read_text()
        assert not postfix.queued()
        until(lambda: "postbell-doctor" not in known(system), what="the logins to be gone")


def known(system):
    """What the broker's login files say."""
    texts = []
    for path in system.broker.logins.iterdir():
        with suppress(FileNotFoundError):  # one that was to take the place of another, and has
            texts.append(path.read_text(errors="replace"))
    return "".join(texts)


@pytest.fixture
def carrier(directory, monkeypatch):
    """A real Postfix with our transport, and a store in which nothing arrives."""
    need("postfix")
    monkeypatch.setattr(handing, "HANDS_OVER_S", 1.0)
    (directory / "state").mkdir()
    database.prepare(directory / "state" / "postbell.db")
    with started(at(directory)) as postfix:
        (postfix.etc / "table").write_text("/postbell.invalid$/ postbell:unix:/no/such/socket\n")
        entry = "postbell/unix = postbell unix - - n - - lmtp"
        run("postconf", "-c", postfix.etc, "-M", entry)
        yield Carrier("postfix", str(postfix.etc))


def told(carrier, **parameters):
    """What becomes of a mail when Postfix is configured so."""
    etc = carrier.directory
    for name, value in {
        "transport_maps": f"regexp:{etc}/table",
        "authorized_submit_users": "static:all",
        **parameters,
    }.items():
        run("postconf", "-c", etc, "-e", f"{name} = {value}")
    run("postfix", "-c", etc, "reload")
    return handed(carrier)


def handed(carrier, within_s=60.0):
    store = Path(carrier.directory).parent / "state" / "postbell.db"
    patience = TimeLeft(time.monotonic() + within_s, time.monotonic)
    return carrier.hand_in(PROBE, "token", database=store, patience=patience)


def queue(carrier):
    return run("postqueue", "-c", carrier.directory, "-j").strip()


def test_what_a_real_postfix_cannot_hand_over(carrier, monkeypatch):
    handed_over = told(carrier)
    assert handed_over.queued
    assert handed_over.reason.endswith("[/no/such/socket]: No such file or directory")
    with monkeypatch.context() as somebody:
        somebody.setattr(os, "geteuid", lambda: 65_534)
        assert f"at once: sudo postsuper -c {carrier.directory} -d " in carrier.clear()
    assert queue(carrier)
    assert carrier.clear() == ""
    assert queue(carrier) == ""
    assert told(carrier, transport_maps="static:discard:") == Handed("Postfix", queued=False)
    refused = told(carrier, authorized_submit_users="!root, static:all")
    assert "not allowed to submit mail" in refused.refusal
    with pytest.raises(OutOfTimeError):
        handed(carrier, within_s=-1)
    run("postfix", "-c", carrier.directory, "stop")
    assert handed(carrier).refusal == "it does not run"
    run("postfix", "-c", carrier.directory, "start")


SERVERS = {"exim": test_mta_exim, "opensmtpd": test_mta_opensmtpd}


@pytest.mark.parametrize("name", SERVERS)
def test_by_way_of_other_real_mail_servers(name, directory, request):
    """The doctor is in the mail server's machine, and Postbell beside it."""
    module = SERVERS[name]
    cache = request.config.cache.mkdir("debian")
    with (
        System(directory, POSTBELL_BODY__TOTAL="1M", **listening(directory)) as postbell,
        machine(directory, cache, *module.PACKAGES) as system,
    ):
        postbell.serve()
        postbell.add("alice")
        module.configured(system)
        system.follow(postbell.run("setup", name).stdout)
        if name == "opensmtpd":
            system.run("sh", "-c", module.START)
        settings = [f"{key}={value}" for key, value in postbell.environment.items() if key.startswith("POSTBELL_")]
        python = ("env", f"PYTHONPATH={ROOT}", *settings, sys.executable, "-m", "bridge")
        said = system.run(*python, "doctor", "--json")
        assert checked(said, "way") == dict.fromkeys(ALL, True), said
        assert checked(said, "mta") | {"mta.socket": None} == {
            "mta.recipe": True,
            "mta.socket": None,
            "mta.queue": True,
        }
