"""Behind a proxy each device is itself: PROXY headers, X-Forwarded-For and Forwarded, from those who are listed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import ssl

import pytest
import uvloop
import websockets

from broker import door
from broker.address import Address
from broker.door import Doors
from broker.listeners import Listener
from broker.networks import parse_network
from broker.transport import TcpLink
from broker.turns import Turns
from broker.writes import Writes
from tests.support import mqtt_client as mqtt
from tests.support.certificates import self_signed
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.proxies import SIGNATURE, binary, line
from tests.support.waiting import until

DEVICE, OTHER = "192.0.2.7", "192.0.2.8"
LISTENERS = ["mqtt", "mqtts", "websocket", "secure_websocket"]
CONFIG = """
[broker]
websocket = "127.0.0.1:0"
tls_listen = "127.0.0.1:0"
secure_websocket = "127.0.0.1:0"
tls_cert = "{}"
tls_key = "{}"
{}
[limits]
clients_per_address = 2
handshake_timeout = {}
"""
PROXIES = 'proxies = ["127.0.0.1", "10.0.0.0/8"]'  # and 127.0.0.2 is a stranger
HELLO = mqtt.connect("c", username="alice.phone", password=password_of("alice.phone"))


def broker_with(tmp_path, more=PROXIES, *, patience_s=30):
    broker = EmbeddedBroker(tmp_path, config=CONFIG.format(*self_signed(tmp_path), more, patience_s))
    broker.logins.add("bridge", "bridge")
    broker.logins.add_many(["alice.phone", "alice.tab", "alice.board"])
    return broker


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with broker_with(tmp_path_factory.mktemp("proxies")) as broker:
        yield broker


class Behind:
    """A connection as a proxy makes it: a header, then what the client says, in TLS or WebSocket if that is spoken."""

    def __init__(self, broker, listener, header=b"", *, source="127.0.0.1", fields=(), piecewise=False):
        plain = socket.create_connection(broker.address(listener), 10, source_address=(source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in [bytes([octet]) for octet in header] if piecewise else [header]:
            plain.sendall(piece)
        self.socket = plain
        if listener in {"mqtts", "secure_websocket"}:
            context = ssl.create_default_context(cafile=broker.state / "server.pem")
            self.socket = context.wrap_socket(plain, server_hostname="localhost")
        self.framed = "websocket" in listener
        self.status = self._upgrade(fields) if self.framed else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _upgrade(self, fields):
        request = [
            *(
                "GET /mqtt HTTP/1.1",
                "Host: localhost",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
            ),
            *("Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Protocol: mqtt", *fields, "", ""),
        ]
        answer = b""
        with contextlib.suppress(ConnectionError):  # refused before it was read: there is no status
            self.socket.sendall("\r\n".join(request).encode())
            while b"\r\n\r\n" not in answer and (more := self.socket.recv(4096)):
                answer += more
        return answer[9:12].decode()

    def code(self, hello=HELLO):
        """The code of the CONNACK; None when the connection was ended instead."""
        framed = b"\x82" + bytes([0x80 | len(hello)]) + bytes(4) + hello if self.framed else hello
        wanted, answer = 6 if self.framed else 4, b""
        try:
            self.socket.sendall(framed)
            while len(answer) < wanted and (more := self.socket.recv(wanted - len(answer))):
                answer += more
        except OSError:
            return None
        return answer[-1] if len(answer) == wanted else None


def told(broker):
    lines = [json.loads(text) for text in broker.logged().splitlines() if text.startswith("{")]
    return [(line["event"], line.get("address"), line.get("reason")) for line in lines if "address" in line]


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("header", [line("TCP4", DEVICE), binary(DEVICE, more=b"\x04\0\1x")], ids=["line", "binary"])
@pytest.mark.parametrize("piecewise", [False, True], ids=["at once", "byte by byte"])
def test_the_device_is_who_the_header_names(running, listener, header, piecewise):
    with Behind(running, listener, header, piecewise=piecewise) as phone:
        assert phone.code() == 0
        with sqlite3.connect(f"file:{running.state}/sessions.db?mode=ro", uri=True) as sessions:
            statement = "SELECT address, tls, transport FROM visit WHERE username = 'alice.phone' AND online"
            expected = (DEVICE, int(listener in LISTENERS[1::2]), "websocket" if "websocket" in listener else "tcp")
            until(lambda: sessions.execute(statement).fetchone() == expected, what="the address among the visits")
    with Behind(running, listener, header) as guesser:
        assert guesser.code(mqtt.connect("c", username="alice.phone", password="wrong")) == 4
    until(lambda: ("login_failed", DEVICE, None) in told(running), what="the address in the log")


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize(
    "header", [b"", b"PROXY UNKNOWN\r\n", binary(DEVICE, command=0x20), SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216)]
)
def test_whoever_is_on_the_proxys_machine_and_names_nobody_is_himself(running, listener, header):
    with Behind(running, listener, header) as phone:
        assert phone.code(mqtt.connect("c", username="alice.tab", password="wrong")) == 4
    assert told(running)[-1] == ("login_failed", "127.0.0.1", None)


@pytest.mark.parametrize("listener", ["mqtt", "websocket"])
@pytest.mark.parametrize("header", [b"PROXY TCP4 x\r\n", line("TCP4", DEVICE) * 2, SIGNATURE + b"\x31\x11\0\0" + HELLO])
def test_a_header_that_is_none_is_refused(running, listener, header):
    before = len(told(running))
    with Behind(running, listener, header) as phone:
        assert phone.code() is None
    event, address, reason = until(lambda: told(running)[before:], what="the refusal")[0]
    twice = header.startswith(line("TCP4", DEVICE))
    assert (event, address) == ("connection_refused", DEVICE if twice else "127.0.0.1")
    assert reason == ("proxy_not_listed" if twice else "bad_proxy_header")


@pytest.mark.parametrize("listener", ["mqtt", "websocket"])
def test_nobody_else_can_name_himself(running, listener):
    with Behind(running, listener, line("TCP4", DEVICE), source="127.0.0.2") as stranger:
        assert stranger.code() is None
    until(lambda: ("connection_refused", "127.0.0.2", "proxy_not_listed") in told(running), what="the refusal")


def test_limits_by_address_mean_devices(running):
    """Two each; the proxy itself and its machine are not bound by it."""
    crowd = [Behind(running, "mqtt", line("TCP4", address)) for address in (DEVICE, DEVICE, OTHER, OTHER)]
    crowd += [Behind(running, "mqtt") for _ in range(5)]
    try:
        with Behind(running, "mqtt", line("TCP4", DEVICE)) as late:
            assert late.code() == 3
        with Behind(running, "websocket", line("TCP4", DEVICE)) as late:
            assert late.code() == 3
        with Behind(running, "websocket", fields=[f"X-Forwarded-For: {OTHER}"]) as late:
            assert late.status == "503"
        with pytest.raises(OSError, match=r"EOF|reset"):
            Behind(running, "mqtts", line("TCP4", OTHER))
        with Behind(running, "mqtt", line("TCP4", "192.0.2.9")) as other, Behind(running, "mqtt") as local:
            assert (other.code(), local.code()) == (0, 0)
        found = [(address, reason) for _, address, reason in told(running) if reason == "too_many_from_address"]
        assert found == [(DEVICE, "too_many_from_address")] * 2 + [(OTHER, "too_many_from_address")] * 2
    finally:
        for one in crowd:
            one.socket.close()


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ([], "127.0.0.1"),
        (["X-Forwarded-For: 203.0.113.5, 192.0.2.30"], "192.0.2.30"),
        (["X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 192.0.2.31, 10.1.1.1"], "192.0.2.31"),
        (['Forwarded: for=203.0.113.5, for="[2001:db8::30]:5000";proto=https'], "2001:db8::30"),
    ],
)
@pytest.mark.parametrize("listener", LISTENERS[2:])
def test_a_websocket_says_it_in_its_request(running, listener, fields, address):
    with Behind(running, listener, fields=fields) as phone:
        assert phone.code(mqtt.connect("c", username="alice.tab", password="wrong")) == 4
    assert told(running)[-1] == ("login_failed", address, None)


def test_what_strangers_say_of_themselves_in_a_request_is_not_believed(running):
    with Behind(running, "websocket", source="127.0.0.2", fields=[f"X-Forwarded-For: {DEVICE}"]) as phone:
        assert phone.code(mqtt.connect("c", username="alice.tab", password="wrong")) == 4
    assert told(running)[-1] == ("login_failed", "127.0.0.2", None)
    fields = [f"X-Forwarded-For: {DEVICE}", f"Forwarded: for={OTHER}"]
    with Behind(running, "websocket", fields=fields) as phone:
        assert phone.status == "400"
    until(lambda: told(running)[-1] == ("connection_refused", "127.0.0.1", "bad_forwarded"), what="the refusal")


def test_who_does_not_finish_his_header_is_cut_off(tmp_path):
    with broker_with(tmp_path, patience_s=0.5) as broker, Behind(broker, "mqtt", b"PROXY TCP4 192.") as slow:
        assert slow.socket.recv(1) == b""
        until(lambda: ("connection_refused", "127.0.0.1", "no_proxy_header") in told(broker), what="the reason")


def test_proxies_and_origins_hold_from_a_reload_on(tmp_path):
    with broker_with(tmp_path, more="") as broker:
        with Behind(broker, "mqtt", line("TCP4", DEVICE)) as phone:
            assert phone.code() is None
        assert Behind(broker, "websocket", fields=["Origin: https://evil.example"]).status == "101"
        text = broker.config.read_text().replace("[limits]", f'{PROXIES}\norigins = ["https://app.example"]\n[limits]')
        broker.config.write_text(text)
        os.kill(broker.process.pid, signal.SIGHUP)
        until(lambda: '"reloaded"' in broker.logged(), what="the reload")
        with Behind(broker, "mqtt", line("TCP4", DEVICE)) as phone:
            assert phone.code() == 0
        assert Behind(broker, "websocket", fields=["Origin: https://evil.example"]).status == "403"


def test_only_pages_of_listed_origins_are_let_in(tmp_path):
    with broker_with(tmp_path, more=f'origins = ["https://app.example", "http://localhost:8080"]\n{PROXIES}') as broker:
        expected = {
            "https://app.example": "101",
            "http://localhost:8080": "101",
            "https://app.example.evil": "403",
            "http://app.example": "403",
            "https://app.example:8443": "403",
            "https://APP.example": "403",
            "null": "403",
            "": "403",
        }
        found = {}
        for origin in expected:
            fields = [f"Origin: {origin}", f"X-Forwarded-For: {DEVICE}"]
            with Behind(broker, "websocket", fields=fields) as page:
                found[origin] = page.status
        assert found == expected
        with Behind(broker, "websocket") as no_browser:
            assert (no_browser.status, no_browser.code()) == ("101", 0)
        refused = [each for each in told(broker) if each[0] == "connection_refused"]
        assert refused == [("connection_refused", DEVICE, "origin")] * 6


@pytest.mark.parametrize(
    ("asked", "named"), [(["mqtt"], "mqtt"), (["mqttv3.1"], "mqttv3.1"), (["mqttv3.1", "mqtt", "x"], "mqtt")]
)
def test_the_subprotocol_that_was_asked_for_is_answered(running, asked, named):
    async def go():
        address = "ws://{}:{}/".format(*running.address("websocket"))
        async with websockets.connect(address, subprotocols=asked) as connection:
            await connection.send(HELLO)
            return connection.subprotocol, await connection.recv()

    assert asyncio.run(go()) == (named, b"\x20\x02\x00\x00")


class Desk:
    """Counts, and remembers who was turned away."""

    def __init__(self):
        self.present, self.refused = [], []

    def enter(self, address, *, bounded):
        self.present.append(address)
        return "too_many_from_address" if bounded and self.present.count(address) > 2 else None

    def leave(self, address):
        self.present.remove(address)

    def may_tell(self, address):
        return bool(address)

    def pause_s(self, _address):
        return 0.0

    def turn_away(self, address, *, reason, error=""):
        assert not error
        self.refused.append((address, reason))


@pytest.mark.parametrize(
    ("websocket", "said", "outcome"),
    [
        (False, HELLO, ("10.0.0.9", "no_proxy_header")),
        (True, b"GET", ("10.0.0.9", None)),
        (False, line("TCP4", DEVICE) + HELLO, (DEVICE, None)),
        (True, binary(DEVICE) + b"GET", (DEVICE, None)),
        (False, binary(DEVICE, command=0x20) + HELLO, ("10.0.0.9", None)),
        (False, line("TCP4", "10.0.0.8") + HELLO, ("10.0.0.8", None)),
    ],
)
def test_a_proxy_elsewhere_has_to_say_for_whom_it_is(monkeypatch, websocket, said, outcome):
    """From other machines than this one nobody but the proxy comes by its address, so nothing is guessed."""
    monkeypatch.setattr(door, "_peer", lambda _: "10.0.0.9")

    async def story():
        loop, desk = asyncio.get_running_loop(), Desk()
        opened: asyncio.Queue = asyncio.Queue()
        doors = Doors(
            desk=desk,
            turns=Turns(loop.call_soon),
            tls=None,
            proxies=(parse_network("10.0.0.0/8"),),
            timeout_s=30,
            link=lambda _: TcpLink(lambda link, _: opened.put_nowait(link), Writes(loop.call_soon)),
        )
        listener = Listener("x", "broker.x", Address("127.0.0.1", 0), websocket=websocket, tls=False)
        async with await loop.create_server(lambda: doors.door(listener), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(said)
            async with asyncio.timeout(30):
                if outcome[1] is not None:
                    assert await reader.read() == b""
                    assert (desk.refused, desk.present) == ([outcome], [])
                else:
                    link = await opened.get()
                    chunk = await link.chunk()
                    assert (link.address, desk.present) == (outcome[0], [outcome[0]])
                    assert said.endswith(chunk)
                    assert chunk[:3] in (b"GET", HELLO[:3])
                    link.abort()
            writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
