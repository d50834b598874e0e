"""`/mqtt`: MQTT over a WebSocket of this origin (MQTT 5 §6), relayed byte for byte to whatever broker there is.

Nothing of MQTT is understood here. What comes from one side is not read before the other has taken what came before,
so that neither can fill the memory; who takes nothing for long is let go.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from bridge.http import forwarded
from bridge.http.answers import plain
from bridge.http.visitor import Visitor

if TYPE_CHECKING:
    from bridge.config.endpoints import Networks
    from bridge.http.upstream import Stream, Upstream

SUBPROTOCOLS = ("mqtt", "mqttv3.1")
"""The latter is asked for by clients older than 3.1.1."""
MESSAGE_BYTES = 65_536
"""The largest message of a page; requests have at most 16 KiB, and a packet may come in several messages."""
PIECE_BYTES = 16_384
BROKER_AWAY = b"the broker cannot be reached"
TOLD_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayLimits:
    """Bounds on what pages cost; times are in seconds.

    `per_address` holds for the pages of one address. `connect_s` is the longest wait for the broker, `stall_s` that
    for a page that takes nothing, `close_s` that for its answer to a close.
    """

    per_address: int = 256
    connect_s: float = 5.0
    stall_s: float = 30.0
    close_s: float = 2.0


class PageRelay:
    """Relays pages to `upstream`. `origin` is where browsers have the page from, if it is not what they ask us as.

    Requests that come from `proxies` are those of whom the proxies name. All four may be replaced at any time.
    """

    def __init__(
        self, *, upstream: Upstream, origin: str = "", proxies: Networks = (), limits: RelayLimits | None = None
    ) -> None:
        self.upstream = upstream
        self.origin = origin
        self.proxies = proxies
        self.limits = limits or RelayLimits()
        self.open: Counter[str] = Counter()
        """Pages that are connected now, by their addresses."""
        self._told_at_s: float | None = None
        self._log = structlog.get_logger()

    async def page(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one page until it or the broker goes; else a plain answer that says why not."""
        refused = self._refused(request)
        if refused is not None:
            return refused
        address = forwarded.client(request.remote or "", request.headers.getall(forwarded.HEADER, []), self.proxies)
        if self.open[address] >= self.limits.per_address:
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many from this address", headers={"Retry-After": "30"})
        socket = web.WebSocketResponse(
            protocols=SUBPROTOCOLS, compress=False, max_msg_size=MESSAGE_BYTES + 1, timeout=self.limits.close_s
        )  # the library refuses that size itself
        self.open[address] += 1
        try:
            await socket.prepare(request)
            await self._serve(request, socket, address)
        finally:
            self.open[address] -= 1
            if not self.open[address]:
                del self.open[address]
        return socket

    def _refused(self, request: web.BaseRequest) -> web.StreamResponse | None:
        if request.headers.get("Upgrade", "").lower().strip() != "websocket":
            return plain(HTTPStatus.UPGRADE_REQUIRED, headers={"Upgrade": "websocket"})
        if not self._is_ours(request):
            return plain(HTTPStatus.FORBIDDEN, "not for pages of another origin")
        offered = {each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
        socket = web.WebSocketResponse(protocols=SUBPROTOCOLS)
        if request.method != "GET" or offered.isdisjoint(SUBPROTOCOLS) or not socket.can_prepare(request).ok:
            return plain(HTTPStatus.BAD_REQUEST, "a WebSocket with the subprotocol mqtt is expected here")
        return None

    def _is_ours(self, request: web.BaseRequest) -> bool:
        """Whether a browser has the page that asks from here (RFC 6455 §10.2). Who is no browser sends no origin."""
        origin = request.headers.get("Origin")
        if origin is None or (self.origin and origin == self.origin):
            return True
        scheme, _, authority = origin.partition("://")
        return scheme in {"http", "https"} and authority == request.host.lower()

    async def _serve(self, request: web.BaseRequest, socket: web.WebSocketResponse, address: str) -> None:
        visitor = request.protocol
        assert isinstance(visitor, Visitor)
        visitor.stay()
        try:
            stream = await asyncio.wait_for(self.upstream.connect(address), self.limits.connect_s)
        except (OSError, TimeoutError) as error:
            self._tell(error)
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=BROKER_AWAY)
            return
        down = asyncio.ensure_future(self._down(stream, socket, visitor))
        try:
            if not await _up(socket, stream):
                await asyncio.wait({down}, timeout=self.limits.close_s)
        finally:
            stream[1].close()
            down.cancel()
            await asyncio.wait({down})

    def _tell(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        if self._told_at_s is None or now - self._told_at_s >= TOLD_EVERY_S:
            self._told_at_s = now
            self._log.warning("relay_without_broker", reason=str(error) or "no answer")

    async def _down(self, stream: Stream, socket: web.WebSocketResponse, visitor: Visitor) -> None:
        """From the broker to the page, until the broker ends."""
        loop, code = asyncio.get_running_loop(), WSCloseCode.OK
        try:
            while piece := await stream[0].read(PIECE_BYTES):
                stalled = loop.call_later(self.limits.stall_s, visitor.cut_off)
                try:
                    await socket.send_bytes(piece)
                finally:
                    stalled.cancel()
        except ConnectionError:
            code = WSCloseCode.INTERNAL_ERROR
        await socket.close(code=code)


async def _up(socket: web.WebSocketResponse, stream: Stream) -> bool:
    """From the page to the broker, until the page ends; False when the broker takes nothing any more."""
    async for message in socket:
        if message.type is not WSMsgType.BINARY:  # [MQTT-6.0.0-1]
            await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
            break
        stream[1].write(message.data)
        try:
            await stream[1].drain()
        except ConnectionError:
            return False
    return True
