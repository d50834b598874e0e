"""The web client as `http.listen` serves it: its files at `/` under their policy, and `/mqtt` handed on to a broker."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from aiohttp import ClientSession, WSMsgType, web

from tests.support.web_files import WEB

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; frame-src 'self' blob:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types postbell"
)


class WebPage:
    """A server in a thread of its own; `broker` gives the port of a broker's WebSocket listener."""

    def __init__(self, broker: Callable[[], int]) -> None:
        self.broker = broker
        self.connections = 0
        self.most = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_get("/mqtt", self._relay)
        app.router.add_get("/{path:.*}", self._file)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = (WEB / (request.match_info["path"] or "index.html")).resolve()
        if not path.is_relative_to(WEB) or not path.is_file():
            raise web.HTTPNotFound
        types = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml"}
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        answer = web.FileResponse(path, headers=headers)
        if path.suffix in types:
            answer.content_type = types[path.suffix]
        return answer

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["mqtt"])
        async with ClientSession() as session:
            upstream = await session.ws_connect(f"ws://127.0.0.1:{self.broker()}/mqtt", protocols=["mqtt"])
            await socket.prepare(request)
            self.connections += 1
            self.most = max(self.most, self.connections)
            try:
                await asyncio.wait(
                    [asyncio.create_task(_hand_on(a, b)) for a, b in ((socket, upstream), (upstream, socket))],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                self.connections -= 1
            await upstream.close()
            await socket.close()
        return socket


async def _hand_on(one, other) -> None:
    async for message in one:
        if message.type is WSMsgType.BINARY:
            await other.send_bytes(message.data)
