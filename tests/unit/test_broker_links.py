"""The sending side of a connection that its client has torn down already."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from broker.links import StreamWriter


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_dead_connection_swallows_what_is_written(loop):
    """Else a publisher, or the journal that lets PUBACKs go, would pay for somebody else's lost connection."""

    async def story() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.transport.abort()
            await accepted.put(writer)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        async with server:
            _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
            client.close()
            writer = await accepted.get()
            await asyncio.sleep(0.01)  # the loop closes the transport's handle
            StreamWriter(writer).write(b"late")

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())
