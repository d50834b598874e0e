"""The HTTP server against whoever may come: what it answers, and what strangers cannot make it cost."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from functools import partial
from ipaddress import ip_network

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bridge.config.endpoints import TcpAddress
from bridge.errors import ConfigurationError
from bridge.http import entrance, opening, visitor
from bridge.http import server as http_server
from bridge.http.answers import HEADERS
from bridge.http.door import DoorLimits
from bridge.http.health import alive
from bridge.http.pages import Page
from bridge.http.visitor import Patience
from tests.integration.test_broker_listeners import certificate
from tests.support.http import GET, LOOPS, serving, told
from tests.support.waiting import free_port, until_on_loop

ELSEWHERE = (ip_network("192.0.2.0/24"),)


async def hello(_request):
    return web.Response(text="hello\n")


PAGES = {"/open": Page(hello), "/healthz": Page(alive, private=True)}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_page_is_served_to_get_and_head_with_strict_headers(loop):
    async def story():
        async with serving(PAGES) as running:
            wire = await running.dial()
            answer = await wire.ask(GET % b"/healthz")
            assert (answer.status, answer.body) == (200, b"alive\n")
            assert answer.headers.items() >= HEADERS.items()
            assert "aiohttp" not in str(answer.headers)
            head = await wire.ask(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n", body=False)
            assert (head.status, head.headers["Content-Length"]) == (200, "6")
            again = await wire.ask(GET % b"/open")
            assert again.body == b"hello\n", "the same connection serves again"
            assert again.headers.items() >= HEADERS.items()
            assert running.answered == [200, 200, 200]

    told(story, loop)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused_with_those_that_there_are(method):
    async def story():
        async with serving(PAGES) as running:
            target = b"bell.example:80" if method == "CONNECT" else b"/healthz"
            answer = await running.ask(method.encode() + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (answer.status, answer.headers.get("Allow")) == (405, "GET, HEAD")
            assert answer.headers.items() >= HEADERS.items()

    told(story)


@pytest.mark.parametrize("path", [b"/", b"/healthz/", b"/../etc/passwd", b"/%2e%2e/x", b"/healthz%00", b"//healthz"])
def test_what_is_not_there_is_answered_plainly(path):
    async def story():
        async with serving(PAGES) as running:
            answer = await running.ask(GET % path)
            assert (answer.status, answer.body) == (404, b"Not Found\n")

    told(story)


def test_private_pages_are_for_the_networks_that_may_see_them():
    async def story():
        async with serving(PAGES, networks=ELSEWHERE) as running:
            with capture_logs() as said:
                refused = await running.ask(GET % b"/healthz")
                assert (refused.status, refused.body) == (403, b"Forbidden\n")
                assert (await running.ask(GET % b"/healthz")).status == 403
            assert (await running.ask(GET % b"/open")).status == 200
            told_once = {"event": "http_peer_not_allowed", "log_level": "warning", "path": "/healthz"}
            assert said == [told_once | {"peer": "127.0.0.1", "proxied": False}]

    told(story)


@pytest.mark.parametrize("header", [b"X-Forwarded-For: 127.0.0.1", b"Forwarded: for=127.0.0.1", b"via: 1.1 proxy"])
def test_what_came_through_a_proxy_is_not_private_whoever_it_is_for(header):
    async def story():
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % header
        async with serving(PAGES) as running:
            assert (await running.ask(request)).status == 403
        async with serving(PAGES, networks=ELSEWHERE) as running:
            assert (await running.ask(request)).status == 403

    told(story)


@pytest.mark.parametrize(
    "request_bytes",
    {
        "no request": b"NONSENSE\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        "a long path": GET % (b"/" + b"x" * 10_000),
        "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 10_000 + b"\r\n\r\n",
        "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: x\r\n" % n for n in range(300)) + b"\r\n",
        "two lengths": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    }.items(),
    ids=lambda item: item[0],
)
def test_what_is_no_request_is_told_so_and_no_more(request_bytes):
    async def story():
        async with serving(PAGES) as running:
            with capture_logs() as said:
                wire = await running.dial()
                answer = await wire.ask(request_bytes[1])
                assert (answer.status, answer.body) == (400, b"Bad Request\n")
                assert answer.headers.items() >= HEADERS.items()
                assert await wire.ended() == b""
            assert said == []
            assert (await running.ask(GET % b"/healthz")).status == 200

    told(story)


def test_a_defect_of_ours_is_logged_and_tells_the_peer_nothing():
    async def fails(_request):
        raise RuntimeError("/var/lib/secret")

    async def story():
        async with serving({"/fails": Page(fails)}) as running:
            with capture_logs() as said:
                answer = await running.ask(GET % b"/fails")
                assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
            assert [(event["event"], event["path"]) for event in said] == [("http_request_failed", "/fails")]
            assert said[0]["exc_info"]

    told(story)


def test_a_defect_in_the_middle_of_an_answer_ends_the_connection():
    async def half(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError

    async def story():
        async with serving({"/half": Page(half)}) as running:
            with capture_logs() as said:
                wire = await running.dial()
                wire.writer.write(GET % b"/half")
                assert (await wire.ended()).endswith(b"half\r\n")
            assert [event["event"] for event in said] == ["http_request_failed"]

    told(story)


def test_the_body_of_a_request_is_not_waited_for():
    async def story():
        async with serving(PAGES) as running:
            wire = await running.dial()
            head = b"GET /open HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx"
            answer = await wire.ask(head)
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
            assert await wire.ended() == b""

    told(story)


# --- what takes too long, and who are too many ----------------------------------------------------------


HASTY = Patience(request_s=0.2, idle_s=60.0, handshake_s=60.0)


@pytest.mark.parametrize("sent", [b"", b"GET /open HTTP/1.1\r\nHost: x\r\n", GET % b"/slow"])
def test_a_connection_that_takes_too_long_is_cut_off(sent):
    never = asyncio.Event()

    async def slow(_request):
        await never.wait()

    async def story():
        async with serving(PAGES | {"/slow": Page(slow)}, patience=HASTY, sweep_s=0.02) as running:
            wire = await running.dial()
            wire.writer.write(sent)
            assert await wire.ended() == b""
            await until_on_loop(lambda: running.door.open == 0, what="the place to be free again")
            assert (await running.ask(GET % b"/open")).status == 200

    told(story)


def test_one_who_does_not_read_is_cut_off():
    async def much(_request):
        return web.Response(body=b"x" * 20_000_000)

    async def story():
        async with serving({"/much": Page(much)}, patience=HASTY, sweep_s=0.02) as running:
            wire = await running.dial()
            vars(wire.reader)["_transport"].pause_reading()
            wire.writer.write(GET % b"/much")
            await until_on_loop(lambda: running.answered == [200], what="the answer to be under way")
            await until_on_loop(lambda: running.door.open == 0, what="the place to be free again")

    told(story)


def test_a_page_may_keep_its_connection():
    async def lasting(request):
        request.protocol.stay()
        socket_ = web.WebSocketResponse()
        await socket_.prepare(request)
        async for message in socket_:
            await socket_.send_str(message.data)
        return socket_

    async def story():
        async with serving({"/mqtt": Page(lasting)}, patience=HASTY, sweep_s=0.02) as running:
            wire = await running.dial()
            upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            answer = await wire.ask(
                b"GET /mqtt HTTP/1.1\r\nHost: x\r\n%sSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % upgrade
            )
            assert answer.status == 101
            await asyncio.sleep(3 * HASTY.request_s)  # nothing tells that a sweep has passed it by
            wire.writer.write(b"\x81\x85\0\0\0\0hello")
            assert await wire.reader.readexactly(7) == b"\x81\x05hello"

    told(story)


def test_an_idle_connection_is_closed_in_good_order():
    async def story():
        async with serving(PAGES, patience=Patience(idle_s=0.05)) as running:
            wire = await running.dial()
            assert (await wire.ask(GET % b"/open")).status == 200
            assert await wire.ended() == b""

    told(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_strangers_who_are_too_many_find_no_place_and_a_monitor_does(loop):
    limits = DoorLimits(connections=3, per_address=3)

    async def story():
        async with serving(PAGES, networks=ELSEWHERE, limits=limits) as running:
            wires = [await running.dial() for _ in range(3)]
            await until_on_loop(lambda: running.door.open == 3, what="the places to be taken")
            assert await (await running.dial()).ended() == b""
            assert running.door.enter("192.0.2.7")
            running.door.leave("192.0.2.7")
            wires[0].writer.close()
            await until_on_loop(lambda: running.door.open == 2, what="a place to be free")
            assert (await wires[1].ask(GET % b"/open")).status == 200
            assert (await running.ask(GET % b"/open")).status == 200

    told(story, loop)


def test_strangers_wait_for_their_answers_when_they_ask_too_fast():
    async def story():
        limits = DoorLimits(rate=50.0, burst=1)
        now = asyncio.get_running_loop().time
        async with serving(PAGES, networks=ELSEWHERE, limits=limits) as running:
            begun = now()
            wire = await running.dial()
            wire.writer.write(GET % b"/open" * 6)
            for _ in range(6):
                assert (await wire.answer()).status == 200
            assert now() - begun >= 4 / 50

    told(story)


def test_a_flood_of_requests_on_one_connection_is_answered_in_order():
    async def story():
        async with serving(PAGES) as running:
            wire = await running.dial()
            wire.writer.write((GET % b"/open" + GET % b"/nowhere") * 100)
            for _ in range(100):
                assert (await wire.answer()).status == 200
                assert (await wire.answer()).status == 404

    told(story)


# --- listening ------------------------------------------------------------------------------------------


def test_port_0_takes_the_port_of_the_last_time_if_it_is_free():
    async def story():
        port = free_port()
        async with serving(PAGES, preferred_port=port) as running:
            assert running.server.address == TcpAddress("127.0.0.1", port)
            async with serving(PAGES, preferred_port=port) as another:
                assert another.server.address.port not in {0, port}

    told(story)


def test_an_address_that_is_in_use_is_tried_again(monkeypatch):
    monkeypatch.setattr(opening, "RETRY_S", 0.02)

    async def story():
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with capture_logs() as said:
                opened = asyncio.create_task(_open(port))
                await until_on_loop(lambda: said, what="the address to be told")
                await asyncio.sleep(0.1)
                other.close()
                await opened
        assert [event["event"] for event in said] == ["listener_awaited", "http_listening"]
        assert (said[0]["listener"], said[0]["address"]) == ("http", f"127.0.0.1:{port}")

    async def _open(port):
        async with serving(PAGES, listen=TcpAddress("127.0.0.1", port)) as running:
            assert (await running.ask(GET % b"/open")).status == 200

    told(story)


def test_an_address_that_can_never_be_is_told_with_its_key(monkeypatch):
    async def story():
        def refuse(*_args, **_options):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket, "create_server", refuse)
        with pytest.raises(
            ConfigurationError, match=r"^http\.listen = '127\.0\.0\.1:80': user .* may not listen there"
        ):
            async with serving(PAGES, listen=TcpAddress("127.0.0.1", 80)):
                pass

    told(story)


def test_a_certificate_needs_its_key_and_a_key_its_certificate(tmp_path):
    async def story():
        for given, missing in (("tls_certificate", "http.tls_key"), ("tls_key", "http.tls_cert")):
            with pytest.raises(ConfigurationError, match=rf"needs {missing} beside it"):
                async with serving(PAGES, **{given: tmp_path / "x.pem"}):
                    pass

    told(story)


def test_a_name_may_stand_for_an_address_that_is_not_there_beside_one_that_is(monkeypatch):
    create = socket.create_server

    def without(absent, place, *, family, backlog):
        if family in absent:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return create(place, family=family, backlog=backlog)

    async def places(*_args, **_options):
        return [
            (family, socket.SOCK_STREAM, 6, "", (host, 0))
            for family, host in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))
        ]

    async def story():
        monkeypatch.setattr(socket, "create_server", partial(without, {socket.AF_INET6}))
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", places)
        [listener] = await entrance.bind("localhost", 0)
        assert listener.getsockname()[0] == "127.0.0.1"
        listener.close()
        monkeypatch.setattr(socket, "create_server", create)
        both = await entrance.bind("localhost", 0)
        assert len({listener.getsockname()[1] for listener in both}) == 1
        with pytest.raises(OSError, match="in use"):
            await entrance.bind("127.0.0.1", both[-1].getsockname()[1])
        entrance.close(both)
        monkeypatch.setattr(socket, "create_server", partial(without, {socket.AF_INET, socket.AF_INET6}))
        with pytest.raises(OSError, match="assign"):
            await entrance.bind("localhost", 0)

    told(story, asyncio.new_event_loop)


def test_a_system_that_lets_nobody_in_is_asked_again(monkeypatch):
    monkeypatch.setattr(entrance, "PAUSE_S", 0.02)

    async def story():
        loop = asyncio.get_running_loop()
        accept, refused = loop.sock_accept, []

        async def refuse_once(listener):
            if not refused:
                refused.append(listener)
                raise OSError(errno.EMFILE, "Too many open files")
            return await accept(listener)

        monkeypatch.setattr(loop, "sock_accept", refuse_once)
        with capture_logs() as said:
            async with serving(PAGES) as running:
                assert (await running.ask(GET % b"/open")).status == 200
        assert {"event": "http_accepts_nobody", "log_level": "warning", "reason": "Too many open files"} in said

    told(story, asyncio.new_event_loop)


# --- TLS ------------------------------------------------------------------------------------------------


def _trusting(base):
    return ssl.create_default_context(cafile=f"{base}.crt")


@pytest.mark.parametrize("loop", LOOPS)
def test_with_a_certificate_it_is_served_encrypted_and_a_renewed_one_is_taken(tmp_path, loop, monkeypatch):
    monkeypatch.setattr(http_server, "LOOK_S", 0.02)
    base, renewed = certificate(tmp_path, "server"), certificate(tmp_path, "renewed")
    files = {"tls_certificate": base.with_suffix(".crt"), "tls_key": base.with_suffix(".key")}

    async def story():
        async with serving(PAGES, **files) as running:
            for _ in range(3):
                wire = await running.dial(ssl=_trusting(base), server_hostname="localhost")
                assert (await wire.ask(GET % b"/healthz")).status == 200
                wire.writer.close()
            plain = await running.dial()
            plain.writer.write(GET % b"/healthz")
            assert not (await plain.ended()).startswith(b"HTTP")
            for ending in (".key", ".crt"):
                renewed.with_suffix(ending).replace(base.with_suffix(ending))
            with capture_logs() as said:
                await until_on_loop(lambda: said, what="the certificate to be loaded")
            assert {event["event"] for event in said} == {"certificate_loaded"}
            wire = await running.dial(ssl=_trusting(base), server_hostname="localhost")
            assert wire.writer.get_extra_info("peercert")["subject"] == ((("commonName", "renewed"),),)
            assert (await wire.ask(GET % b"/healthz")).status == 200

    told(story, loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_never_ends_the_handshake_has_a_counted_place_and_loses_it(tmp_path, loop):
    base = certificate(tmp_path, "server")
    files = {"tls_certificate": base.with_suffix(".crt"), "tls_key": base.with_suffix(".key")}

    async def story():
        limits = DoorLimits(connections=2)
        patience = Patience(handshake_s=0.2)
        async with serving(PAGES, limits=limits, patience=patience, **files) as running:
            silent = [await running.dial() for _ in range(2)]
            await until_on_loop(lambda: running.door.open == 2, what="both to be counted")
            assert await (await running.dial()).ended() == b"", "a third finds no place"
            for wire in silent:
                assert not (await wire.ended()).startswith(b"HTTP")
            await until_on_loop(lambda: running.door.open == 0, what="the places to be free")
            wire = await running.dial(ssl=_trusting(base), server_hostname="localhost")
            assert (await wire.ask(GET % b"/healthz")).status == 200

    told(story, loop)


def test_who_leaves_during_the_handshake_is_counted_out(tmp_path):
    base = certificate(tmp_path, "server")
    files = {"tls_certificate": base.with_suffix(".crt"), "tls_key": base.with_suffix(".key")}

    async def story():
        async with serving(PAGES, **files) as running:
            wire = await running.dial()
            await until_on_loop(lambda: running.door.open == 1, what="the peer to be counted")
            wire.writer.transport.abort()
            await until_on_loop(lambda: running.door.open == 0, what="the peer to be counted out")

    told(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_the_end_waits_for_no_handshake(tmp_path, loop):
    base = certificate(tmp_path, "server")
    files = {"tls_certificate": base.with_suffix(".crt"), "tls_key": base.with_suffix(".key")}

    async def story():
        async with serving(PAGES, **files) as running:
            wire = await running.dial()
            await until_on_loop(lambda: running.door.open == 1, what="the peer to be counted")
        assert await wire.ended() == b""
        await until_on_loop(lambda: running.door.open == 0, what="the peer to be counted out")

    told(story, loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_that_comes_together_with_the_end_of_the_handshake_is_not_lost(tmp_path, loop):
    base = certificate(tmp_path, "server")
    files = {"tls_certificate": base.with_suffix(".crt"), "tls_key": base.with_suffix(".key")}

    async def story():
        async with serving(PAGES, **files) as running:
            address = running.server.address
            answer = await asyncio.to_thread(_ask_in_one_piece, (address.host, address.port), _trusting(base))
            assert answer.startswith(b"HTTP/1.1 200 ")

    told(story, loop)


def _ask_in_one_piece(address, context):
    """A client whose last words of the handshake and first request are one segment."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(address, 20) as wire:
        while True:
            try:
                secure.do_handshake()
                break
            except ssl.SSLWantReadError:
                wire.sendall(outgoing.read())
                incoming.write(wire.recv(65536))
        secure.write(GET % b"/healthz")
        wire.sendall(outgoing.read())
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                return secure.read(4096)
            incoming.write(wire.recv(65536))


def test_the_library_says_nothing_in_the_log_by_itself():
    assert not visitor._QUIET.propagate
