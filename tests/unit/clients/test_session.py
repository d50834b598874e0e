"""The session's patience with a broker that is none."""

from __future__ import annotations

import socket
import ssl

import pytest

from clients import session
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
        patient = session_to(server.getsockname()[1], lambda: now[0], listener)
        patient.step(0.01)
        assert listener.reasons == []
        now[0] += CONNECT_TIMEOUT_S
        patient.step(0.01)
        assert listener.reasons == ["the broker does not answer"]
        assert not patient.up


def test_after_a_sleep_of_the_machine_it_comes_back_at_once():
    slept = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        patient = session_to(server.getsockname()[1], lambda: 0.0, listener, asleep=lambda: slept[0])
        patient.step(0.01)
        slept[0] = 60.0
        patient.step(0.01)
        assert listener.reasons == ["the machine slept"]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00", b"\xff" * 9, b""])
def test_broker_that_talks_nonsense_is_left_and_tried_again(answer):
    now = [0.0]
    listener = Listening()
    with socket.create_server(("127.0.0.1", 0)) as server:
        patient = session_to(server.getsockname()[1], lambda: now[0], listener)
        patient.step(0.01)
        connection, _ = server.accept()
        connection.sendall(answer)
        connection.close()
        for _ in range(20):
            patient.step(0.1)
            if listener.reasons:
                break
        assert len(listener.reasons) == 1
        assert not patient.up


def certificate_error():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def tls_error(reason):
    error = ssl.SSLError(1, "[SSL] something")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            certificate_error(),
            "the broker's certificate is not trusted: self-signed certificate; --ca-file",
        ),
        (tls_error("WRONG_VERSION_NUMBER"), "TLS failed: wrong version number"),
        (tls_error(None), "TLS failed: "),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ValueError("bad header"), "bad header"),
        (TimeoutError(), "TimeoutError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_went_wrong_is_said_without_numbers_and_pythons_names(error, said):
    assert session._describe(error).startswith(said)
