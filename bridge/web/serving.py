"""The web server's parts and how they hang together: as the bridge says first, and later."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from aiohttp import web

from bridge.config.endpoints import TcpAddress
from bridge.daemon import logs
from bridge.http import channel, shelf
from bridge.http.channel import LONGEST, FetchedPage
from bridge.http.door import Door, DoorLimits
from bridge.http.pages import Page, Pages
from bridge.http.relay import PageRelay, RelayLimits
from bridge.http.server import HttpServer, HttpSettings

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from bridge.http.channel import WebSettings

RATE, BURST = 2000.0, 4000
"""Answers a second to strangers: a page is some twenty files, and they come out of memory."""
TELL_S = 5.0
"""How often the bridge is told how many were answered; and before each of its own pages."""


def serve(bridge: socket.socket, listeners: list[socket.socket]) -> int:
    """Serve at these sockets until the bridge is gone."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(bridge, listeners))
    return 0


async def _serve(bridge: socket.socket, listeners: list[socket.socket]) -> None:
    for each in listeners:
        each.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=bridge, limit=LONGEST)
    first = await reader.readline()
    if not first:
        return
    settings = channel.unpacked(json.loads(first)["settings"])
    logs.configure(level=settings.log_level, style=settings.log_format, process=logs.WEB)
    parts = WebServer(settings, writer, listeners)
    work = asyncio.ensure_future(parts.run(reader))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    await asyncio.wait({work})
    if not work.cancelled():
        work.result()


class WebServer:
    """What serves visitors at `listeners`, and asks the bridge for the pages that are its own."""

    def __init__(self, settings: WebSettings, bridge: asyncio.StreamWriter, listeners: list[socket.socket]) -> None:
        """Raises ConfigurationError when the certificate cannot be used."""
        self._bridge = bridge
        self._asked: dict[int, asyncio.Future[FetchedPage]] = {}
        self._numbers = count()
        self._answered: Counter[int] = Counter()
        limits = DoorLimits(settings.connections, settings.connections_per_address, RATE, BURST)
        self._door = Door(networks=settings.networks, limits=limits, proxies=settings.proxies)
        self._relay = PageRelay(
            upstream=settings.upstream,
            origin=settings.origin,
            proxies=settings.proxies,
            limits=RelayLimits(per_address=settings.connections_per_address),
        )
        self._server = HttpServer(
            pages=Pages(self._pages(), door=self._door, monotonic=time.monotonic, answered=self._count),
            door=self._door,
            settings=HttpSettings(
                listen=TcpAddress(*listeners[0].getsockname()[:2]),
                tls_certificate=_path(settings.tls_certificate),
                tls_key=_path(settings.tls_key),
            ),
            listeners=listeners,
        )

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Serve until the bridge is gone."""
        work = [asyncio.ensure_future(each) for each in (self._hear(reader), self._server.run(), self._tell_on())]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in work:
                each.cancel()
            await asyncio.wait(work)
        for each in work:
            if not each.cancelled():
                each.result()

    def use(self, settings: WebSettings) -> None:
        """Have other settings hold for those who come from now on; the bridge has looked at the certificate."""
        use_certificate = self._server.prepare(
            tls_certificate=_path(settings.tls_certificate), tls_key=_path(settings.tls_key)
        )
        use_certificate()
        self._door.networks = settings.networks
        self._relay.upstream, self._relay.origin = settings.upstream, settings.origin
        logs.configure(level=settings.log_level, style=settings.log_format, process=logs.WEB)

    def _pages(self) -> Mapping[str, Page]:
        own = {path: Page(self._of_the_bridge, private=True) for path in ("/healthz", "/readyz", "/metrics")}
        return {**shelf.pages(), **own, "/mqtt": Page(self._relay.page)}

    def _count(self, status: int) -> None:
        self._answered[status] += 1

    async def _of_the_bridge(self, request: web.BaseRequest) -> web.StreamResponse:
        """A page that only the bridge knows: it is asked, and its answer handed on."""
        number = next(self._numbers)
        found = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._tell()
            self._bridge.write(channel.line(ask=number, path=request.path))
            page = await found
        finally:
            del self._asked[number]
        return web.Response(status=page.status, body=page.text.encode(), headers=page.headers)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            message: dict[str, Any] = json.loads(line)
            if "settings" in message:
                self.use(channel.unpacked(message["settings"]))
                continue
            waiting = self._asked.get(message["answer"])
            if waiting is not None and not waiting.done():
                waiting.set_result(FetchedPage(**message["page"]))

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            self._tell()

    def _tell(self) -> None:
        if self._answered:
            self._bridge.write(channel.line(answered=dict(self._answered)))
            self._answered.clear()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
