"""The session's patience with a broker that is none."""

from __future__ import annotations

import socket

import pytest

from clients.backoff import Backoff
from clients.endpoint import parse_endpoint
from clients.login import Login
from clients.schedule import CONNECT_TIMEOUT_S
from clients.session import Session


class Listening:
    def __init__(self):
        self.reasons = []

    def disconnected(self, reason, *, retry_s):
        assert retry_s > 0
        self.reasons.append(reason)


def session_to(port, clock, listener, asleep=lambda: 0.0):
    return Session(
        Login(parse_endpoint(f"mqtt://127.0.0.1:{port}"), "alice.phone", "secret", 60),
        filters=("mail/alice/msg/+",),
        subscription="",
        listener=listener,
        clock=clock,
        asleep=asleep,
        backoff=Backoff(jitter=lambda: 0.5),
    )


def test_broker_that_accepts_and_stays_silent_is_given_up():
    now = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        session = session_to(server.getsockname()[1], lambda: now[0], listener)
        session.step(0.01)
        assert listener.reasons == []
        now[0] += CONNECT_TIMEOUT_S
        session.step(0.01)
        assert listener.reasons == ["the broker does not answer"]
        assert not session.up


def test_after_a_sleep_of_the_machine_it_comes_back_at_once():
    slept = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        session = session_to(server.getsockname()[1], lambda: 0.0, listener, asleep=lambda: slept[0])
        session.step(0.01)
        slept[0] = 60.0
        session.step(0.01)
        assert listener.reasons == ["the machine slept"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00", b"\xff" * 9, b""])
def test_broker_that_talks_nonsense_is_left_and_tried_again(answer):
    now = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        session = session_to(server.getsockname()[1], lambda: now[0], listener)
        session.step(0.01)
        connection, _ = server.accept()
        connection.sendall(answer)
        connection.close()
        for _ in range(20):
            session.step(0.1)
            if listener.reasons:
                break
        assert len(listener.reasons) == 1
        assert not session.up
