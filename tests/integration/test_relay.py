"""`/mqtt` between pages and a broker of the test: byte for byte, for pages of this origin, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
from ipaddress import ip_network
from typing import Any, cast

import pytest
from aiohttp import WSMessage, WSMsgType
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.http import relay as relaying_module
from bridge.http.door import DoorLimits
from bridge.http.pages import Page
from bridge.http.relay import BROKER_AWAY, MESSAGE_BYTES, PageRelay, RelayLimits
from bridge.http.upstream import Upstream
from tests.support.http import LOOPS, serving, told
from tests.support.waiting import PATIENCE_S, until_on_loop

LARGE = 16 * 2**20


class Broker:
    """Takes what comes, and says what it is told."""

    def __init__(self):
        self.came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.address = ("", 0)

    async def __aenter__(self):
        async def enter(*stream):
            await self.came.put(stream)

        self._server = await asyncio.start_server(enter, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_):
        self._server.close()
        while not self.came.empty():
            (await self.came.get())[1].close()

    async def next(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.came.get()


@contextlib.asynccontextmanager
async def relaying(*, origin="", proxies=(), limits=None, upstream=None):
    """A broker, and the address of a page that is relayed to it."""
    async with Broker() as broker:
        where = upstream or Upstream(host=broker.address[0], port=broker.address[1])
        relay = PageRelay(upstream=where, origin=origin, proxies=proxies, limits=limits)
        async with serving({"/mqtt": Page(relay.page)}, limits=DoorLimits()) as running:
            yield broker, relay, f"ws://{running.server.address}/mqtt"


def page(url, *, subprotocols=("mqtt",), **options):
    return connect(url, subprotocols=list(subprotocols), compression=None, max_size=None, **options)


async def closed(connection):
    """The code and the reason with which the server ends."""
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.recv()
        await connection.wait_closed()
    return connection.close_code, connection.close_reason


@pytest.mark.parametrize("loop", LOOPS)
def test_bytes_go_both_ways_however_they_are_cut(loop):
    async def story():
        async with relaying() as (broker, relay, url), page(url) as here:
            assert here.subprotocol == "mqtt"
            reader, writer = await broker.next()
            await here.send(b"one")
            await here.send([b"tw", b"", b"o"])
            await here.send(b"x" * MESSAGE_BYTES)
            assert await reader.readexactly(6 + MESSAGE_BYTES) == b"onetwo" + b"x" * MESSAGE_BYTES
            writer.write(bytes(range(256)) * 1000)
            got = b""
            while len(got) < 256_000:
                got += await here.recv()
            assert got == bytes(range(256)) * 1000
            assert relay.open == {"127.0.0.1": 1}
            await here.close()
            assert await reader.read() == b"", "the broker hears that the page has gone"
            await until_on_loop(lambda: not relay.open, what="the page to be counted out")

    told(story, loop)


def test_a_page_of_old_is_spoken_to_by_its_own_name():
    async def story():
        async with relaying() as (_, _, url), page(url, subprotocols=("else", "mqttv3.1")) as here:
            assert here.subprotocol == "mqttv3.1"

    told(story)


@pytest.mark.parametrize(
    ("origin", "public", "enters"),
    [
        (None, "", True),
        ("http://{host}", "", True),
        ("https://{host}", "", True),
        ("https://mail.example.org", "https://mail.example.org", True),
        ("http://{host}", "https://mail.example.org", True),
        ("https://mail.example.org", "", False),
        ("https://evil.example", "https://mail.example.org", False),
        ("null", "", False),
        ("https://mail.example.org.evil.example", "https://mail.example.org", False),
        ("file://{host}", "", False),
    ],
)
def test_of_pages_only_those_of_this_origin_come_in(origin, public, enters):
    async def story():
        async with relaying(origin=public) as (_, _, url):
            said = origin and origin.format(host=url.split("/")[2])
            if enters:
                async with page(url, origin=said):
                    return
            with pytest.raises(InvalidStatus) as refused:
                await page(url, origin=said)
            assert refused.value.response.status_code == 403

    told(story)


def test_who_asks_for_something_else_is_told_so():
    async def story():
        async with relaying() as (_, _, url):
            host = url.split("/")[2]
            with pytest.raises(InvalidStatus) as refused:
                await page(url, subprotocols=("chat",))
            assert refused.value.response.status_code == 400
            asked = {}
            for method, more in (("GET", ""), ("HEAD", "Upgrade: websocket\r\nSec-WebSocket-Protocol: mqtt\r\n")):
                reader, writer = await asyncio.open_connection(*host.split(":"))
                writer.write(f"{method} /mqtt HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
                asked[method] = await reader.readline()
                writer.close()
            assert asked == {"GET": b"HTTP/1.1 426 Upgrade Required\r\n", "HEAD": b"HTTP/1.1 400 Bad Request\r\n"}

    told(story)


def test_a_page_is_told_that_the_broker_is_away():
    async def story():
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            away = Upstream(host="127.0.0.1", port=nobody.getsockname()[1])
        with capture_logs() as said:
            async with relaying(upstream=away) as (_, relay, url):
                for _ in range(2):
                    async with page(url) as here:
                        assert await closed(here) == (1013, BROKER_AWAY.decode())
                assert not relay.open
        assert [event["event"] for event in said] == ["http_listening", "relay_without_broker"], "told once"

    told(story)


def test_a_broker_that_does_not_answer_is_not_waited_for():
    class Silent(Upstream):
        async def connect(self, _address):
            await asyncio.Event().wait()

    async def story():
        limits = RelayLimits(connect_s=0.01)
        async with relaying(upstream=Silent(), limits=limits) as (_, _, url), page(url) as here:
            assert (await closed(here))[0] == 1013

    told(story)


@pytest.mark.parametrize(("breaks_off", "code"), [(False, 1000), (True, 1011)])
def test_a_page_is_told_how_the_broker_ended(breaks_off, code):
    async def story():
        async with relaying() as (broker, relay, url), page(url) as here:
            _, writer = await broker.next()
            writer.write(b"last")
            assert await here.recv() == b"last"
            if breaks_off:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.close()
            assert (await closed(here))[0] == code
            await until_on_loop(lambda: not relay.open, what="the page to be counted out")

    told(story)


@pytest.mark.parametrize(("message", "code"), [("text", 1003), (b"x" * (MESSAGE_BYTES + 1), 1009)])
def test_what_no_client_sends_ends_the_connection(message, code):
    async def story():
        async with relaying() as (broker, _, url), page(url) as here:
            reader, _ = await broker.next()
            await here.send(message)
            assert (await closed(here))[0] == code
            assert await reader.read() == b""

    told(story)


def test_a_page_that_reads_nothing_holds_the_broker_up_and_is_let_go():
    async def story():
        limits = RelayLimits(stall_s=0.5)
        async with relaying(limits=limits) as (broker, relay, url):
            here = await page(url, max_queue=1)
            reader, writer = await broker.next()
            here.transport.pause_reading()
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < LARGE:
                    writer.write(b"x" * 65_536)
                    await writer.drain()
                    sent += 65_536
            assert sent < LARGE, "the rest waits at the broker"
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            await until_on_loop(lambda: not relay.open, what="the page to be let go")
            here.transport.abort()

    told(story)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_page_that_is_gone_while_it_was_waited_for_is_no_defect(loop):
    async def story():
        defects = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: defects.append(context))
        async with relaying() as (broker, relay, url):
            here = await page(url, max_queue=1)
            _, writer = await broker.next()
            here.transport.pause_reading()
            writer.write(b"x" * LARGE)
            await until_on_loop(lambda: writer.transport.get_write_buffer_size() < LARGE, what="some of it to go")
            await asyncio.sleep(0.2)  # until it is stuck, or would be
            linger = struct.pack("ii", 1, 0)
            here.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            here.transport.abort()
            await until_on_loop(lambda: not relay.open, what="the page to be counted out")
        gc.collect()
        assert defects == []

    told(story, loop)


def test_a_broker_that_reads_nothing_holds_the_page_up():
    async def story():
        async with relaying() as (broker, _, url), page(url) as here:
            reader, _ = await broker.next()
            reader._transport.pause_reading()
            sent = 0

            async def pour():
                nonlocal sent
                while sent < LARGE:
                    await here.send(b"x" * MESSAGE_BYTES)
                    sent += MESSAGE_BYTES

            pouring = asyncio.ensure_future(pour())
            before = -1
            while before != sent or not sent:  # no more goes out while the loop has other turns
                before = sent
                await asyncio.sleep(0.2)
            assert 0 < sent < LARGE
            reader._transport.resume_reading()
            taken = 0
            while taken < LARGE:
                piece = await reader.read(65_536)
                assert piece
                taken += len(piece)
            await pouring

    told(story)


def test_an_address_has_so_many_pages_and_no_more():
    async def story():
        async with relaying(limits=RelayLimits(per_address=1)) as (broker, relay, url):
            async with page(url):
                await broker.next()
                with pytest.raises(InvalidStatus) as refused:
                    await page(url)
                assert refused.value.response.status_code == 503
                assert refused.value.response.headers["Retry-After"]
            await until_on_loop(lambda: not relay.open, what="the page to be counted out")
            async with page(url):
                pass

    told(story)


def test_behind_a_proxy_pages_are_counted_by_the_address_that_it_names():
    async def story():
        proxies = (ip_network("127.0.0.0/8"),)
        async with relaying(limits=RelayLimits(per_address=1), proxies=proxies) as (broker, relay, url):
            names = [{"X-Forwarded-For": f"10.9.9.9, 192.0.2.{number}"} for number in (1, 2)]
            async with page(url, additional_headers=names[0]), page(url, additional_headers=names[1]):
                await broker.next()
                assert relay.open == {"192.0.2.1": 1, "192.0.2.2": 1}
                with pytest.raises(InvalidStatus) as refused:
                    await page(url, additional_headers=names[1])
                assert refused.value.response.status_code == 503

    told(story)


class Gone:
    """A broker that takes nothing any more."""

    def write(self, data):
        pass

    async def drain(self):
        raise ConnectionResetError


def test_a_page_that_speaks_to_a_broker_that_broke_off_is_not_heard_on():
    class Page:
        async def __aiter__(self):
            yield WSMessage(WSMsgType.BINARY, b"x", None)

    stream: Any = (None, Gone())
    assert asyncio.run(relaying_module._up(cast("Any", Page()), stream)) is False
