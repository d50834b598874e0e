"""Shared by tests that type commands, by those that stand a database on its head, and by clients that others wrote."""

from __future__ import annotations

import os
import sys

import pytest

from bridge.cli import main
from bridge.store import database
from tests.support.mqtt_broker import EmbeddedBroker, MosquittoWithOurRules


@pytest.fixture(params=["embedded", "mosquitto"])
def broker(request, tmp_path):
    """The embedded broker, and mosquitto with our rules, for the bridge and alice's phone."""
    roles = {"bridge": "bridge", "alice.phone": "device"}
    if request.param == "mosquitto":
        running: EmbeddedBroker | MosquittoWithOurRules = MosquittoWithOurRules(tmp_path, roles)
    else:
        running = embedded = EmbeddedBroker(tmp_path)
        for name, role in roles.items():
            embedded.logins.add(name, role)
    with running:
        yield running


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys):
    """Runs a command in this process, for a state here: its exit code, and what it printed and said."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path / "state"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["postbell", *arguments])
        code = main.run()
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def restricted(monkeypatch):
    """Connections that are opened while this set has entries run these pragmas first."""
    pragmas, connect = set(), database.connect

    def restrict(path):
        connection = connect(path)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    monkeypatch.setattr(database, "connect", restrict)
    return pragmas


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where a store is kept: a file of SQLite's, and a database of PostgreSQL's."""
    if request.param == "sqlite":
        return tmp_path / "postbell.db"
    return request.getfixturevalue("postgres")
