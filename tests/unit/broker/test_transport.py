"""A connection's two directions: what is read late, what is written late, and how much is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest
import uvloop

from broker.transport import StreamLink, TcpLink
from broker.writes import Writes

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


@contextlib.asynccontextmanager
async def connected():
    """A link, its transport, and the client's two streams."""
    accepted: asyncio.Queue[tuple[StreamLink, asyncio.Transport]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    writes = Writes(loop.call_soon)
    server = await loop.create_server(lambda: TcpLink(lambda *both: accepted.put_nowait(both), writes), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        link, transport = await accepted.get()
        yield link, transport, reader, writer
        link.abort()
        writer.transport.abort()


def run(loop, story):
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(story(), 30))


@LOOPS
def test_a_dead_connection_swallows_what_is_written(loop):
    """Else a publisher, or the journal that lets PUBACKs go, would pay for somebody else's lost connection."""

    async def story():
        async with connected() as (link, _, _, client):
            client.close()
            assert await link.chunk() == b""
            link.abort()
            await asyncio.sleep(0.01)  # the loop closes the transport's handle
            link.write(b"late")
            await link.drain()
            assert await link.chunk() == b""

    run(loop, story)


@LOOPS
def test_what_nobody_reads_stays_in_the_network_and_comes_later(loop):
    async def story():
        async with connected() as (link, transport, _, client):
            data = bytes(range(256)) * 4 * 8192  # 8 MiB: more than all buffers on the way
            client.write(data)
            while transport.is_reading():  # noqa: ASYNC110  (a transport tells nobody that it was paused)
                await asyncio.sleep(0.001)
            assert len(link._unread) < 65_536 + 262_144 + 1  # and uvloop reads a quarter of a MiB at most
            client.write_eof()
            got = bytearray()
            while chunk := await link.chunk():
                got += chunk
            assert got == data
            assert await link.chunk() == b""

    run(loop, story)


@LOOPS
def test_a_writer_waits_until_the_client_takes_what_was_written(loop):
    async def story():
        async with connected() as (link, _, reader, _):
            await link.drain()
            data = b"x" * 16_000_000
            link.write(data)
            await asyncio.sleep(0)  # uvloop writes at the end of its turn
            assert link.unsent > 0
            drained = asyncio.ensure_future(link.drain())
            await asyncio.sleep(0.01)
            assert not drained.done()
            assert await reader.readexactly(len(data)) == data
            await drained
            link.finish()
            assert await reader.read() == b""

    run(loop, story)


@LOOPS
def test_who_waits_to_write_is_let_go_when_the_connection_ends(loop):
    async def story():
        async with connected() as (link, _, _, _):
            link.write(b"x" * 16_000_000)
            await asyncio.sleep(0.01)
            drained = asyncio.ensure_future(link.drain())
            await asyncio.sleep(0)
            link.abort()
            await drained

    run(loop, story)


@LOOPS
def test_what_the_loop_had_no_time_for_is_seen(loop):
    """After a standstill timers come first: bytes that wait in the socket count, and so does room for more."""

    async def story():
        async with connected() as (link, _, reader, client):
            chunk = link.chunk()
            assert link.idle
            assert not link.stuck
            os.write(client.get_extra_info("socket").fileno(), b"x")  # no step of the loop between
            assert not link.idle
            assert await chunk == b"x"
            assert not link.idle  # nobody waits for more
            link.write(b"x" * 16_000_000)
            await asyncio.sleep(0.01)
            assert link.stuck
            await reader.readexactly(16_000_000)
            assert not link.stuck
            link.abort()
            assert link.stuck

    run(loop, story)
