"""What status makes of what it finds: what is down, what cannot be known, and the exit code of each."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bridge.cli import facts, status
from bridge.config.endpoints import MqttUrl
from bridge.daemon import runfile
from tests.support.configured import configured
from tests.support.stored import add_user


@pytest.fixture
def settings(tmp_path):
    add_user(tmp_path / "postbell.db", "alice")
    return configured(
        state_dir=tmp_path,
        smtp={"listen": "127.0.0.1:2525", "tls_listen": "[::]:465"},
        broker={"listen": "127.0.0.1:1883", "tls_listen": "0.0.0.0:8883"},
    )


@contextmanager
def running(settings, **said):
    """Both processes as if they ran, with what their run files say."""
    for name in (runfile.BRIDGE, runfile.BROKER):
        runfile.write(settings.run_dir, name, said)
    with runfile.only_one(settings.run_dir, runfile.BRIDGE), runfile.only_one(settings.run_dir, runfile.BROKER):
        yield


UP = {"connected": True, "smtp": "127.0.0.1:2525", "smtps": "[::]:465", "mqtt": "127.0.0.1:1883", "mqtts": "[::]:8883"}


@pytest.mark.parametrize(
    ("said", "down"),
    [
        (UP, []),
        (UP | {"smtps": None}, ["smtps"]),
        (UP | {"connected": False, "mqtts": None}, ["connection", "mqtts"]),
        (UP | {"mqtt": None}, ["mqtt"]),
    ],
)
def test_a_listener_that_is_configured_and_not_there_is_down(settings, said, down):
    with running(settings, **said):
        found = facts.collect(settings, missing="")
    assert found["down"] == down
    assert status.exit_code(found) == (1 if down else 0)
    lines = status.describe(found)
    for name in set(down) - {"connection"}:
        assert any(line.startswith(f"{name} ") and "not up; it is to be at" in line for line in lines)


def test_a_broker_elsewhere_has_no_listeners_here(settings):
    elsewhere = replace(
        settings,
        broker=replace(settings.broker, embedded=False),
        mqtt=replace(settings.mqtt, url=MqttUrl("mqtts", "mail.example.org", 8883)),
    )
    with running(elsewhere, **UP):
        found = facts.collect(elsewhere, missing="")
    assert found["down"] == []
    assert (found["listeners"]["mqtt"], found["configured"]["mqtt"], found["broker"]["running"]) == (None, None, None)
    assert any("connected, mqtts://mail.example.org:8883" in line for line in status.describe(found))


def test_without_a_store_nothing_is_known_and_a_damaged_one_is_down(settings):
    found = facts.collect(settings, missing="there is no such directory")
    assert (status.exit_code(found), found["store"], found["users"]) == (2, "there is no such directory", None)
    settings.database.write_bytes(b"no database, surely not one" * 300)
    with running(settings, **UP):
        found = facts.collect(settings, missing="")
    assert (status.exit_code(found), found["known"], found["down"]) == (1, True, [])
    assert any(line.startswith("store  ") for line in status.describe(found))


def test_who_may_not_look_is_told_no_falsehood(settings, monkeypatch):
    def refused(path, **_options):
        if path.name == "run":
            raise PermissionError
        return real(path, **_options)

    real = type(settings.run_dir).stat
    monkeypatch.setattr(type(settings.run_dir), "stat", refused)
    found = facts.collect(settings, missing="this belongs to postbell")
    assert (found["running"], found["down"], status.exit_code(found)) == (None, [], 2)
    assert status.describe(found)[0].split(maxsplit=1) == ["bridge", "cannot be known"]
    monkeypatch.undo()
    settings.run_dir.mkdir()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert facts.collect(settings, missing="x")["running"] is None
