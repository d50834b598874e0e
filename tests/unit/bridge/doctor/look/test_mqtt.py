"""A connection of the doctor's: what does not come in time is not taken for an answer."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager

import pytest

from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.doctor.look import mqtt
from bridge.doctor.look.deadline import OutOfTimeError, TimeLeft
from bridge.doctor.look.mqtt import NotReachedError, ProbeDevice, Way


@contextmanager
def silent():
    """Somebody who takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield Way(MqttUrl.of(TcpAddress("127.0.0.1", listening.getsockname()[1])))


def test_who_is_silent_is_not_met(monkeypatch):
    monkeypatch.setattr(mqtt, "CONNECT_S", 0.2)
    with silent() as way, pytest.raises(NotReachedError):
        ProbeDevice(way, "a", "b").connect()


def test_when_all_time_is_over_nothing_is_said_of_who_is_silent():
    with silent() as way:
        for left_s in (0.2, 0.0):
            patience = TimeLeft(time.monotonic() + left_s, time.monotonic)
            with pytest.raises(OutOfTimeError):
                ProbeDevice(way, "a", "b", patience=patience).connect()
