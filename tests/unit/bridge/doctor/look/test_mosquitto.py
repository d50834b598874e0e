"""The settings that a mosquitto was started with."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bridge.config.endpoints import TcpAddress
from bridge.doctor.judge.listeners import Process
from bridge.doctor.look import mosquitto
from bridge.doctor.look.mosquitto import UnreadError
from tests.support.mosquitto import Mosquitto

NOWHERE = TcpAddress("127.0.0.1", 1)


def test_a_real_one_is_found_and_its_files_are_read(tmp_path):
    (tmp_path / "conf.d").mkdir()
    lines = ("# a comment", "max_queued_messages 7", "persistence true", f"persistence_location {tmp_path}/")
    (tmp_path / "conf.d" / "more.conf").write_text("\n".join(lines) + "\n")
    with Mosquitto(tmp_path, "max_queued_messages 5", f"include_dir {tmp_path}/conf.d") as running:
        found = mosquitto.settings(TcpAddress("127.0.0.1", running.port))
    assert found["max_queued_messages"] == "7"
    assert found["persistence"] == "true"
    assert found["allow_anonymous"] == "true"


def test_another_program_has_none(tmp_path):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(UnreadError, match="no mosquitto of this machine"):
            mosquitto.settings(TcpAddress("127.0.0.1", listening.getsockname()[1]))
    assert tmp_path.exists()


@pytest.fixture
def started(monkeypatch):
    """As if this process were the only mosquitto, started with these words, and nobody could see who listens."""

    def as_if(*words):
        monkeypatch.setattr(mosquitto, "holders", lambda _address: ())
        monkeypatch.setattr(mosquitto, "name_of", lambda pid: "mosquitto" if pid == os.getpid() else "other")
        monkeypatch.setattr(Path, "read_bytes", lambda _path: b"\0".join(word.encode() for word in words))

    return as_if


def test_the_only_one_is_taken_where_nobody_can_see_who_listens(started, tmp_path, monkeypatch):
    (tmp_path / "m.conf").write_text("persistence true\n")
    monkeypatch.chdir(tmp_path)
    started("mosquitto", "-c", "m.conf")
    assert mosquitto.settings(NOWHERE) == {"persistence": "true"}


def test_one_that_was_started_without_a_file_has_the_defaults(started):
    started("mosquitto", "-p", "1883")
    assert mosquitto.settings(NOWHERE) == {}


def test_a_file_that_cannot_be_read_is_told(started, tmp_path):
    started("mosquitto", "-c", str(tmp_path / "none.conf"))
    with pytest.raises(UnreadError, match=r"none\.conf cannot be read: No such file"):
        mosquitto.settings(NOWHERE)


def test_of_several_none_is_taken(monkeypatch):
    monkeypatch.setattr(mosquitto, "holders", lambda _address: (Process(1, "nats-server"),))
    with pytest.raises(UnreadError):
        mosquitto.settings(NOWHERE)
