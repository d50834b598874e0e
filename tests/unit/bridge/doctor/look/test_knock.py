"""Knocking at sockets that answer rightly, wrongly, late or never."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path, PurePath

import pytest

from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.doctor.judge.listeners import Met
from bridge.doctor.look import knock as knocking
from bridge.doctor.look.knock import PROXY, Speech, knock
from tests.support.issued import issue


@contextmanager
def speaking(answer, *, first=b"", tls=None, family=socket.AF_INET):
    """Somebody who waits for `first`, then says `answer`; the address, and what was heard."""
    heard = bytearray()
    with socket.socket(family) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve():
            connection, _ = listening.accept()
            with connection, tls.wrap_socket(connection, server_side=True) if tls else connection as open_one:
                while len(heard) < len(first):
                    heard.extend(open_one.recv(1024))
                open_one.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield TcpAddress("127.0.0.1", listening.getsockname()[1]), heard
        thread.join()


@pytest.mark.parametrize(
    ("speech", "answer", "right"),
    [
        (Speech.MAIL, b"220 here\r\n", True),
        (Speech.MAIL, b"554 go away\r\n", True),
        (Speech.MAIL, b"421 too many\r\n", False),
        (Speech.MAIL, b"SSH-2.0\r\n", False),
        (Speech.MAIL, b"", False),
        (Speech.MQTT, b"\x20\x02\x00\x05", True),
        (Speech.MQTT, b"HTTP/1.1 400\r\n", False),
        (Speech.WEBSOCKET, b"HTTP/1.1 101 Switching Protocols\r\n", True),
        (Speech.WEBSOCKET, b"HTTP/1.1 404 Not Found\r\n", False),
        (Speech.HTTP, b"HTTP/1.1 404 Not Found\r\n", True),
        (Speech.HTTP, b"220 here\r\n", False),
    ],
)
def test_an_answer_is_right_or_something_else(speech, answer, right):
    with speaking(answer, first=speech.value[0]) as (address, _):
        met, told = knock(address, speech)
    assert met is (Met.RIGHT if right else Met.OTHER)
    assert bool(told) is not right


def test_somebody_who_believes_in_proxies_is_told_of_one():
    with speaking(b"220 here\r\n", first=PROXY) as (address, heard):
        assert knock(address, Speech.MAIL, proxy=True) == (Met.RIGHT, "")
    assert heard == PROXY


def test_tls_comes_first_where_it_should(tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    chain = issue("bell.example.org").write(tmp_path)
    context.load_cert_chain(chain, chain.with_suffix(".key"))
    with speaking(b"220 here\r\n", tls=context) as (address, _):
        assert knock(address, Speech.MAIL, tls=True) == (Met.RIGHT, "")
    with speaking(b"220 here\r\n") as (address, _):
        met, told = knock(address, Speech.MAIL, tls=True)
    assert met is Met.OTHER
    assert "no TLS" in told


def test_who_wants_a_certificate_of_ours_speaks_tls(monkeypatch):
    def wanted(_connection):
        error = ssl.SSLError(1, "alert")
        error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        raise error

    monkeypatch.setattr(knocking, "_encrypted", wanted)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = TcpAddress("127.0.0.1", listening.getsockname()[1])
        assert knock(address, Speech.MQTT, tls=True) == (Met.RIGHT, "")


def test_nobody_and_somebody_who_says_nothing(monkeypatch):
    monkeypatch.setattr(knocking, "KNOCK_S", 0.05)
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        port = listening.getsockname()[1]
        assert knock(TcpAddress("0.0.0.0", port), Speech.MAIL)[0] is Met.CLOSED
        listening.listen()
        monkeypatch.setattr(knocking.connected, "__kwdefaults__", {"within_s": 0.05})
        assert knock(TcpAddress("0.0.0.0", port), Speech.MAIL)[0] is Met.SILENT


def test_a_socket_that_this_user_may_not_enter_and_one_that_is_not_there():
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listening:
        path = Path(directory) / "bell"
        address = UnixAddress(PurePath(path))
        assert knock(address, Speech.MAIL)[0] is Met.CLOSED
        listening.bind(str(path))
        listening.listen()
        path.chmod(0o000)
        if os.geteuid():
            assert knock(address, Speech.MAIL)[0] is Met.DENIED
            return
        os.seteuid(65_534)
        try:
            assert knock(address, Speech.MAIL)[0] is Met.DENIED
        finally:
            os.seteuid(0)
