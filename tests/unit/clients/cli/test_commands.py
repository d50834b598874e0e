"""Arguments, exit codes, endpoints, the session's patience: what needs no broker."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgpack
import pytest

from clients.backoff import Backoff
from clients.cli.commands import run
from clients.cli.options import Place
from clients.contract.topics import Mailbox
from clients.endpoint import parse_endpoint
from clients.errors import UsageError
from clients.relay import GUESTS, Relay, join
from clients.session import CONNECT_TIMEOUT_S, Login, Session
from clients.terminal.settings import state_path


@pytest.mark.parametrize(
    ("url", "text", "tls", "websocket"),
    [
        ("mqtt://host", "mqtt://host:1883", False, False),
        ("mqtts://host", "mqtts://host:8883", True, False),
        ("mqtt://[::1]:99", "mqtt://[::1]:99", False, False),
        ("ws://host:80/mqtt", "ws://host:80/mqtt", False, True),
        ("wss://host", "wss://host:443/", True, True),
    ],
)
def test_endpoint(url, text, tls, websocket):
    endpoint = parse_endpoint(url)
    assert (str(endpoint), endpoint.tls, endpoint.websocket) == (text, tls, websocket)


@pytest.mark.parametrize(
    "url", ["", "host", "http://host", "mqtt://", "mqtt://host:0", "mqtt://host:99999", "mqtt://u:p@host"]
)
def test_endpoint_that_cannot_be_used(url):
    with pytest.raises(UsageError, match="--url"):
        parse_endpoint(url)


@pytest.mark.parametrize(
    "arguments",
    [
        ("watch", "alice"),
        ("watch", "Alice/phone"),
        ("watch", "alice/phone/x"),
        ("watch", "alice/phone", "--url", "http://127.0.0.1"),
        ("watch", "alice/phone", "--root", "mail/#"),
        ("watch", "alice/phone", "--root", ""),
        ("watch", "alice/phone", "--password-file", "/nonexistent/password"),
        ("watch", "alice/phone", "--keepalive", "1"),
        ("watch", "alice/phone", "--no-such-option"),
        ("watch", "alice/phone"),
        ("read", "alice/phone", "NOT-AN-ID"),
        ("read", "alice/phone", "00t64ks8n", "--raw", "--parts"),
        ("read", "alice/phone", "00t64ks8n", "--raw", "--part", "2"),
        ("read", "alice/phone", "00t64ks8n", "--part", "-1"),
        ("read", "alice/phone", "00t64ks8n", "--json"),
        ("read", "alice/phone", "00t64ks8n"),
    ],
)
def test_usage_errors_say_why_and_give_2(arguments, monkeypatch, capfd, tmp_path):
    monkeypatch.setattr("sys.argv", ["clients", *arguments])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("POSTBELL_PASSWORD", raising=False)
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", nothing)
        try:
            code = run()
        except SystemExit as error:
            code = error.code
    assert code == 2
    assert capfd.readouterr().err


def test_state_file_has_its_place(monkeypatch):
    mailbox = Mailbox(root="mail", user="alice", device="phone")

    def place(state):
        return Place("alice/phone", "mqtt://host", None, None, state, "mail", 900, None)

    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_path(place(None), mailbox) == Path("/state/postbell/alice.phone.journal")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/alice")
    assert state_path(place(None), mailbox) == Path("/home/alice/.local/state/postbell/alice.phone.journal")
    assert state_path(place(Path("here")), mailbox) == Path("here")


def test_backoff_doubles_up_to_its_longest_and_jitters_by_half():
    backoff = Backoff(jitter=lambda: 0.0, first_s=1.0, longest_s=5.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 2.5, 2.5]
    backoff.reset()
    backoff.jitter = lambda: 0.999
    assert 0.99 < backoff.next_s() < 1.0


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


def test_relay_carries_requests_and_replies_and_forgets_who_left(tmp_path):
    deep = tmp_path / ("long-name-" * 12)  # longer than a socket address may be
    deep.mkdir()
    path = deep / "state.sock"
    path.write_text("left over")
    with Relay(path) as relay:
        guest = join(path)
        request = msgpack.packb([1, 7, "parts", "00t64ks8n"])
        guest.send(request)
        assert relay.requests(relay.filenos()) == []
        assert relay.requests(relay.filenos()) == [request]
        assert relay.reply(7, b"reply")
        assert not relay.reply(8, b"reply")
        assert guest.recv(100) == b"reply"
        guest.send(b"\xc1 nonsense")
        assert relay.requests(relay.filenos()) == []
        guest.close()
        assert relay.requests(relay.filenos()) == []
        assert not relay.reply(7, b"reply")
        assert len(relay.filenos()) == 1
    assert not path.exists()
    with pytest.raises(OSError, match="No such file"):
        join(path)


def test_relay_has_a_bounded_number_of_seats(tmp_path):
    with Relay(tmp_path / "sock") as relay:
        guests = []
        for _ in range(GUESTS + 2):
            guests.append(join(tmp_path / "sock"))
            relay.requests(relay.filenos())
        assert len(relay.filenos()) == 1 + GUESTS
        assert guests[-1].recv(10) == b""
        for guest in guests:
            guest.close()
