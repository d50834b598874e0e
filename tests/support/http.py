"""An HTTP server of ours in the test's own loop, and bytes sent to it as nobody's library would."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvloop

from bridge.config.endpoints import LOOPBACK, TcpAddress
from bridge.http.door import Door, DoorLimits
from bridge.http.pages import Page, Pages
from bridge.http.server import HttpServer, HttpSettings
from tests.support.waiting import PATIENCE_S, until_on_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from bridge.config.endpoints import Networks

GET = b"GET %s HTTP/1.1\r\nHost: bell.example\r\n\r\n"
ANY_PORT = TcpAddress("127.0.0.1", 0)
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [uvloop.new_event_loop, asyncio.new_event_loop]


@dataclass
class Answer:
    """One answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """A connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes, *, body: bool = True) -> Answer:
        """Send this and read one answer."""
        self.writer.write(request)
        return await self.answer(body=body)

    async def answer(self, *, body: bool = True) -> Answer:
        """Read one answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            content = await self.reader.readexactly(int(headers.get("Content-Length", 0))) if body else b""
        return Answer(int(head[0].split()[1]), headers, content)

    async def ended(self) -> bytes:
        """What still comes until the server ends the connection."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""


@dataclass
class Running:
    """A server that listens."""

    server: HttpServer
    door: Door
    answered: list[int] = field(default_factory=list)

    async def dial(self, **tls: Any) -> Wire:
        """A fresh connection."""
        assert self.server.address is not None
        return Wire(*await asyncio.open_connection(self.server.address.host, self.server.address.port, **tls))

    async def ask(self, request: bytes, **options: Any) -> Answer:
        """One request on a connection of its own."""
        wire = await self.dial()
        try:
            return await wire.ask(request, **options)
        finally:
            wire.writer.close()


@contextlib.asynccontextmanager
async def serving(
    pages: Mapping[str, Page],
    *,
    networks: Networks = LOOPBACK,
    limits: DoorLimits | None = None,
    monotonic: Callable[[], float] | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A server with these pages, on a port of its own, for as long as the block lasts."""
    door, answered = Door(networks=networks, limits=limits), list[int]()
    clock = monotonic or asyncio.get_running_loop().time
    served = Pages(pages, door=door, monotonic=clock, answered=answered.append)
    server = HttpServer(pages=served, door=door, settings=HttpSettings(**{"listen": ANY_PORT} | settings))
    running = asyncio.create_task(server.run())
    try:
        await until_on_loop(lambda: server.address or running.done(), what="the server to listen")
        if running.done():
            running.result()
        yield Running(server, door, answered)
    finally:
        running.cancel()
        await asyncio.wait({running})


def told(story: Callable[[], Awaitable[None]], loop: Callable[[], asyncio.AbstractEventLoop] = LOOPS[0]) -> None:
    """A story on a loop of its own, as the bridge has it unless another is named."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())  # type: ignore[arg-type]
