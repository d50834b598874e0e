"""Who comes is counted from accept on: half-open TLS harms nobody else, and who is turned away leaves his reason."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.certificates import self_signed
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.proxies import line
from tests.support.waiting import until

FILES = 200  # that the broker may have open
ATTACK = 400  # connections at once, from one address
PER_ADDRESS = 50
CONFIG = """
[broker]
websocket = "127.0.0.1:0"
tls_listen = "127.0.0.1:0"
secure_websocket = "127.0.0.1:0"
tls_cert = "{}"
tls_key = "{}"

[limits]
clients_per_address = 50
connect_timeout = {}
handshake_timeout = {}
"""
TLS = ["mqtts", "secure_websocket"]


class ShortOfFiles(EmbeddedBroker):
    """A broker that may open FILES files."""

    def command(self):
        return ["bash", "-c", f'ulimit -n {FILES}; exec "$@"', "broker", *super().command()]


def broker_with(tmp_path, *, patience_s, kind=EmbeddedBroker):
    broker = kind(tmp_path, config=CONFIG.format(*self_signed(tmp_path), patience_s, patience_s))
    broker.logins.add("bridge", "bridge")
    broker.logins.add("good.phone")
    return broker


@pytest.fixture
def running(tmp_path):
    with broker_with(tmp_path, patience_s=60) as broker:
        yield broker


def trusting(tmp_path):
    return ssl.create_default_context(cafile=tmp_path / "server.pem")


def hello():
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def connection(address, *, source):
    made = socket.create_connection(address, 10, source_address=(source, 0))
    made.setblocking(False)
    return made


def alive(connections):
    """Those that the broker has not ended."""
    left = []
    for one in connections:
        try:
            while one.recv(65_536):
                pass
        except BlockingIOError:
            left.append(one)
            continue
        except OSError:
            pass
        one.close()
    return left


def thinned(crowd, most):
    """Those that are left of a crowd, once there are no more than that."""

    def few():
        crowd[:] = alive(crowd)
        return len(crowd) <= most

    until(few, what="those too many to be cut off")
    return crowd


def told(broker, event="connection_refused"):
    """What the log says of each who was turned away."""
    lines = [json.loads(text) for text in broker.logged().splitlines() if text.startswith("{")]
    return [line for line in lines if line["event"] == event]


def reasons(broker):
    return {line["reason"] for line in told(broker)}


def dropped(broker, reason):
    """How often that is counted."""
    with broker.client("bridge") as bridge:
        bridge.subscribe(f"$SYS/broker/dropped/{reason}")
        found = [int(packet.payload) for packet in bridge.flush()]
    return found[-1] if found else 0


@pytest.mark.parametrize("listener", TLS)
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x00", hello()], ids=["nothing", "four bytes", "a whole hello"])
def test_half_open_tls_from_one_address_harms_no_other(tmp_path, listener, said):
    with broker_with(tmp_path, patience_s=60, kind=ShortOfFiles) as broker:
        good, half_open, logins = broker.client("good.phone"), [], 0
        for _ in range(3):
            while len(half_open) < ATTACK:
                half_open.append(connection(broker.address(listener), source="127.0.0.2"))
                with contextlib.suppress(ConnectionError):
                    half_open[-1].send(said)
            with mqtt.Raw(broker.address("mqtts"), tls=trusting_any()) as other:
                other.send(mqtt.connect(username="bridge", password=password_of("bridge")))
                logins += other.expect(mqtt.CONNACK).body[1] == 0
            thinned(half_open, PER_ADDRESS)
        assert (logins, good.flush(), len(half_open)) == (3, [], PER_ADDRESS)
        assert len(list(Path(f"/proc/{broker.process.pid}/fd").iterdir())) < PER_ADDRESS + 50
        for one in half_open:
            one.close()
        assert "too_many_from_address" in reasons(broker)
        assert '"Too many open files"' not in broker.logged()
        assert "Traceback" not in broker.logged()


def trusting_any():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_over_tcp_some_are_told_and_the_rest_is_cut_off(running):
    good = running.client("good.phone")
    crowd = [connection(running.address(), source="127.0.0.2") for _ in range(ATTACK)]
    thinned(crowd, PER_ADDRESS + 64)
    assert good.flush() == []
    for one in crowd:
        one.close()


@pytest.mark.parametrize("listener", TLS)
@pytest.mark.parametrize("said", [b"", hello()[:100], hello()], ids=["nothing", "a part", "a whole hello"])
def test_a_handshake_has_its_deadline(tmp_path, listener, said):
    with broker_with(tmp_path, patience_s=0.5) as broker, mqtt.Raw(broker.address(listener)) as late:
        late.send(said)
        while late.socket.recv(65_536):
            pass
        until(lambda: "tls_timeout" in reasons(broker), what="tls_timeout in the log")


def test_what_is_no_tls_is_told_from_what_fails(running):
    for listener in TLS:
        for said in (
            mqtt.connect(),
            b"GET / HTTP/1.1\r\n\r\n",
            line("TCP4", "192.0.2.7") + hello(),
            b"\x16garbage garbage",
        ):
            with mqtt.Raw(running.address(listener)) as wrong:
                wrong.send(said)
                assert wrong.receive() is None or said.startswith(b"\x16")
        with pytest.raises(ssl.SSLError), mqtt.Raw(running.address(listener), tls=ssl.create_default_context()):
            pass  # which does not trust the certificate, and says so
        with socket.create_connection(running.address(listener)):
            pass  # a monitor, or somebody who has changed his mind
    expected = {"not_tls": 4, "proxy_not_listed": 2, "tls_failed": 4}
    until(lambda: len(told(running)) >= 10, what="the refusals in the log")
    found = [line["reason"] for line in told(running)]
    assert {reason: found.count(reason) for reason in found} == expected
    errors = {line["error"] for line in told(running) if line["reason"] == "tls_failed"}
    assert "TLSV1_ALERT_UNKNOWN_CA" in errors
    until(lambda: dropped(running, "tls_failed") == 4, what="the count")
    with mqtt.Raw(("127.0.0.1", running.address("mqtts")[1]), tls=trusting_any()) as right:
        right.send(mqtt.connect(username="good.phone", password=password_of("good.phone")))
        assert right.expect(mqtt.CONNACK).body[1] == 0


def test_a_hello_that_comes_byte_by_byte_is_one(running, tmp_path):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(tmp_path).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(running.address("mqtts"), 10) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for octet in outgoing.read():
                    plain.send(bytes([octet]))
                incoming.write(plain.recv(65_536))
        client.write(mqtt.connect(username="good.phone", password=password_of("good.phone")))
        plain.sendall(outgoing.read())
        answer = b""
        while not answer:
            try:
                answer = client.read(4)
            except ssl.SSLWantReadError:
                incoming.write(plain.recv(65_536))
    assert answer == b"\x20\x02\x00\x00"


def test_all_that_a_client_says_at_once_is_heard_behind_tls(running):
    """What came while the handshake had no turn yet, and the CONNECT of a client that does not wait."""
    clients = []
    for _ in range(40):
        raw = mqtt.Raw(running.address("mqtts"), tls=trusting_any())
        raw.send(mqtt.connect(username="good.phone", password="wrong") + mqtt.packet(mqtt.PINGREQ))
        clients.append(raw)
    for raw in clients:
        assert raw.expect(mqtt.CONNACK).body[1] == 4
        raw.close()


def test_memory_of_half_open_handshakes_comes_back_to_others(running):
    def resident():
        pages = Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def round_of(said):
        crowd = [connection(running.address("mqtts"), source="127.0.0.3") for _ in range(PER_ADDRESS)]
        for one in crowd:
            with contextlib.suppress(ConnectionError):
                one.send(said)
            one.close()
        time.sleep(0.05)

    for _ in range(5):
        round_of(hello())
    before = resident()
    for _ in range(20):
        round_of(hello())
    assert resident() - before < 10_000_000
