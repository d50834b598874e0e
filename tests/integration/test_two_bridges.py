"""Two bridges of different nodes at one broker: each has a login of its own, so both stay connected."""

from __future__ import annotations

import json

import pytest

from bridge.store import logins, offline
from tests.support.mosquitto import RuledMosquitto
from tests.support.system import System


def bridge_at(url, directory, *, node, password, **settings):
    """A bridge of a node, not started yet, whose broker is somewhere else."""
    directory.mkdir()
    (directory / "password").write_text(password)
    return System(
        directory,
        POSTBELL_NODE=node,
        POSTBELL_BROKER__EMBEDDED="false",
        POSTBELL_MQTT__URL=url,
        POSTBELL_MQTT__PASSWORD_FILE=str(directory / "password"),
        **settings,
    )


def work(*systems):
    """Each bridge takes a mail and compares what its broker holds; only one that is connected can."""
    for _ in range(2):
        for system in systems:
            system.send(b"Subject: here\r\n\r\n", "alice@example.org")
            system.wait_drained()
            system.run("reconcile")


def lost(system, command):
    return (system.directory / f"{command}.log").read_text().count("broker_lost")


def test_at_one_embedded_broker(tmp_path):
    with System(tmp_path) as first:
        first.add("alice")
        first.serve()
        login = json.loads(first.run("node", "add", "two", "--json").stdout)
        assert login["username"] == "bridge-two"
        assert json.loads(first.run("node", "list", "--json").stdout) == ["main", "two"]
        url = f"mqtt://127.0.0.1:{first.mqtt_port()}"
        with bridge_at(
            url, tmp_path / "two", node="two", password=login["password"], POSTBELL_MQTT__ROOT="mail/two"
        ) as second:
            second.add("alice")
            second.start("bridge")
            second.wait_connected()
            work(first, second)
            assert (lost(first, "serve"), lost(second, "bridge")) == (0, 0)


def test_at_one_mosquitto(tmp_path):
    passwords = {"bridge": "one-word", "bridge-two": "another-word"}
    with (
        RuledMosquitto(tmp_path, dict.fromkeys(passwords, "bridge"), passwords) as broker,
        bridge_at(broker.url, tmp_path / "one", node="main", password="one-word") as first,
        bridge_at(
            broker.url, tmp_path / "two", node="two", password="another-word", POSTBELL_MQTT__ROOT="mail/two"
        ) as second,
    ):
        for system in (first, second):
            system.add("alice")
            system.start("bridge")
        for system in (first, second):
            system.wait_connected()
        work(first, second)
        assert (lost(first, "bridge"), lost(second, "bridge")) == (0, 0)


@pytest.mark.parametrize("named", ["", "postbell"])
def test_the_name_that_is_configured_wins(tmp_path, named):
    with System(tmp_path, POSTBELL_NODE="two", POSTBELL_MQTT__USERNAME=named) as system:
        with offline.transaction(system.state_dir / "postbell.db", now_ms=0, count=1, days=1) as transaction:
            logins.grant(transaction, "bridge", label="two", role="bridge")  # as earlier versions did for every node
        system.serve()
        with offline.reading(system.state_dir / "postbell.db") as connection:
            found = connection.execute("SELECT username, label FROM login WHERE role = 'bridge'").fetchall()
        assert found == [(named or "bridge-two", "two")]
