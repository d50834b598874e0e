"""TLS, WebSocket and both: certificates that change, client certificates, and who is turned away."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import subprocess
import weakref
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import uvloop
import websockets
from paho.mqtt.enums import CallbackAPIVersion

from broker.turns import Turns
from broker.websocket import SocketLink
from broker.writes import Writes
from tests.conftest import need
from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.waiting import until, until_on_loop


def certificate(directory, name, *, authority=None):
    """A key and a certificate for `localhost`, self-signed or signed by another; its path without suffix."""
    base = directory / name
    openssl = need("openssl")
    signing = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"] if authority else []
    subprocess.run(
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
        + f"-subj /CN={name} -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {base}.key".split()
        + ["-addext", "keyUsage=digitalSignature,keyCertSign,cRLSign"]  # Python 3.13 wants to be told of an authority
        + ["-out", f"{base}.crt", *signing],
        check=True,
        capture_output=True,
    )
    return base


def broker_with(tmp_path, config):
    broker = EmbeddedBroker(tmp_path, config=config)
    broker.logins.add("bridge", "bridge")
    broker.logins.add("alice.phone")
    return broker


@pytest.fixture
def running(tmp_path):
    base = certificate(tmp_path, "server")
    config = (
        '[broker]\ntls_listen = "127.0.0.1:0"\nwebsocket = "127.0.0.1:0"\nsecure_websocket = "127.0.0.1:0"\n'
        f'tls_cert = "{base}.crt"\ntls_key = "{base}.key"\n'
    )
    with broker_with(tmp_path, config) as broker:
        yield broker


@pytest.mark.parametrize(
    ("listener", "transport", "tls"),
    [
        ("mqtt", "tcp", False),
        ("mqtts", "tcp", True),
        ("websocket", "websockets", False),
        ("secure_websocket", "websockets", True),
    ],
)
def test_an_ordinary_client_on_each_listener(running, tmp_path, listener, transport, tls):
    got = []
    client = paho.Client(CallbackAPIVersion.VERSION2, transport=transport)
    client.username_pw_set("alice.phone", password_of("alice.phone"))
    if tls:
        client.tls_set(ca_certs=str(tmp_path / "server.crt"))
    client.on_connect = lambda c, *_: c.subscribe("mail/alice/#", 1)
    client.on_message = lambda *arguments: got.append(arguments[2].payload)
    with running.client("bridge") as bridge:
        for number in range(50):
            bridge.send(mqtt.publish(f"mail/alice/msg/{number}", b"x" * 2000, qos=1, retain=True))
            bridge.expect(mqtt.PUBACK)
    client.connect("localhost", running.address(listener)[1])
    until(lambda: client.loop(0.1) or len(got) == 50, what="all messages")
    client.disconnect()
    assert got == [b"x" * 2000] * 50


@pytest.mark.parametrize("listener", ["websocket", "secure_websocket"])
def test_a_request_without_an_end_ends_the_connection(running, tmp_path, listener):
    with socket.create_connection(running.address(listener), 10) as plain:
        client = plain
        if listener == "secure_websocket":
            client = trusting(f"{tmp_path}/server.crt").wrap_socket(plain, server_hostname="localhost")
        client.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"reset|pipe|EOF"):
            client.sendall(b"a: b\r\n" * 2_000_000)
        client.close()
    until(lambda: "bad_handshake" in running.logged(), what="bad_handshake in the log")


class WatchedLink(SocketLink):
    """A link of which it can be seen that it is gone."""

    __slots__ = ("__weakref__",)


def test_a_lost_connection_is_not_kept_until_the_next_collection(tmp_path):
    """Its buffers are half a megabyte, and strangers come and go by the thousand."""
    base, links = certificate(tmp_path, "server"), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{base}.crt", f"{base}.key")

    def come_and_go(port):
        for _ in range(10):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as plain:
                trusting(f"{base}.crt").wrap_socket(plain, server_hostname="localhost").sendall(b"x" * 100_000)

    async def story():
        loop = asyncio.get_running_loop()
        turns, writes = Turns(loop.call_soon), Writes(loop.call_soon)

        def link():
            made = WatchedLink(lambda *_: None, writes, turns=turns, max_size=1000, most_unsent=1000)
            links.append(weakref.ref(made))
            return made

        async with await loop.create_server(link, "127.0.0.1", 0, ssl=context) as server:
            await asyncio.to_thread(come_and_go, server.sockets[0].getsockname()[1])
            await until_on_loop(lambda: all(each() is None for each in links), what="all to be gone")
        assert len(links) == 10

    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(story())
    finally:
        gc.enable()


def peer_name(address, context):
    """The common name in the certificate that a listener shows."""
    with socket.create_connection(address, 10) as plain, context.wrap_socket(plain, server_hostname="localhost") as tls:
        return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"], tls.version()


def trusting(path):
    return ssl.create_default_context(cafile=path)


def test_a_renewed_certificate_is_used_without_a_restart(running, tmp_path):
    address = running.address("mqtts")
    assert peer_name(address, trusting(f"{tmp_path}/server.crt"))[0] == "server"
    fresh = certificate(tmp_path, "renewed")
    for suffix in ("key", "crt"):
        Path(f"{fresh}.{suffix}").replace(tmp_path / f"server.{suffix}")
    until(lambda: "certificate_loaded" in running.logged(), what="the certificate to be loaded")
    assert peer_name(address, trusting(f"{tmp_path}/server.crt"))[0] == "renewed"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_old_tls_is_refused(running, tmp_path):
    context = trusting(f"{tmp_path}/server.crt")
    assert peer_name(running.address("mqtts"), context)[1] == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert peer_name(running.address("mqtts"), context)[1] == "TLSv1.2"
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        peer_name(running.address("mqtts"), context)


def test_client_certificates_are_asked_for_when_a_ca_is_given(tmp_path):
    authority = certificate(tmp_path, "authority")
    server, phone = (certificate(tmp_path, name, authority=authority) for name in ("server", "phone"))
    config = (
        f'[broker]\ntls_listen = "127.0.0.1:0"\ntls_cert = "{server}.crt"\ntls_key = "{server}.key"\n'
        f'tls_client_ca = "{authority}.crt"\n'
    )
    with broker_with(tmp_path, config) as broker:

        def connack(context):
            raw = mqtt.Raw(broker.address("mqtts"))
            raw.socket = context.wrap_socket(raw.socket, server_hostname="localhost")
            raw.send(mqtt.connect(username="alice.phone", password=password_of("alice.phone")))
            try:
                return raw.receive()
            except ssl.SSLError:
                return None
            finally:
                raw.close()

        context = trusting(f"{authority}.crt")
        assert connack(context) is None
        context.load_cert_chain(f"{phone}.crt", f"{phone}.key")
        assert connack(context).body[1] == 0


def over_websocket(running, action, **options):
    async def go():
        address = "ws://{}:{}/mqtt".format(*running.address("websocket"))
        options.setdefault("subprotocols", ["mqtt"])
        async with websockets.connect(address, **options) as connection:
            return await action(connection)

    return asyncio.run(go())


HELLO = mqtt.connect(username="alice.phone", password=password_of("alice.phone"))


def test_packets_need_not_align_with_frames(running):
    """[MQTT-6.0.0-2]"""

    async def trickle(connection):
        for octet in HELLO + mqtt.packet(mqtt.PINGREQ):
            await connection.send(bytes([octet]))
            await connection.send(b"")
        got = b""
        while len(got) < 6:
            got += await connection.recv()
        return got

    assert over_websocket(running, trickle) == b"\x20\x02\x00\x00\xd0\x00"


def test_a_text_frame_ends_the_connection(running):
    """[MQTT-6.0.0-1]"""

    async def talk(connection):
        await connection.send(HELLO)
        await connection.recv()
        await connection.send("text")
        await asyncio.wait_for(connection.wait_closed(), 10)

    over_websocket(running, talk)


def test_the_subprotocol_is_needed_and_named(running):
    """[MQTT-6.0.0-3] [MQTT-6.0.0-4]"""

    async def named(connection):
        return connection.subprotocol

    assert over_websocket(running, named) == "mqtt"

    with pytest.raises(websockets.InvalidStatus, match="400"):
        over_websocket(running, named, subprotocols=None)


def test_a_wrong_password_over_websocket_is_answered(running):
    async def answer(connection):
        await connection.send(mqtt.connect(username="alice.phone", password="wrong"))
        got = await connection.recv()
        await asyncio.wait_for(connection.wait_closed(), 10)
        return got

    assert over_websocket(running, answer) == b"\x20\x02\x00\x04"
