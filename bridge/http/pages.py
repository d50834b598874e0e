"""What is answered to a request: which page a path is, who may see it, and by which methods.

A page is a function from a request to an answer; `daemon/seeing.py` has them. One that lasts, as a WebSocket does,
says so to its connection (`Visitor.stay`) and is served beside the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from bridge.http.answers import dressed, plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from bridge.http.door import Door

METHODS = ("GET", "HEAD")
OF_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""What a proxy adds. Whom it speaks for it may say, and we need not believe it: somebody else than its own address."""
TOLD_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Page:
    """What one path answers; `private` is for the networks that may see everything, asking directly."""

    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    private: bool = False


class Pages:
    """All pages by their paths. `answered` is told each status that goes out."""

    def __init__(
        self,
        pages: Mapping[str, Page],
        *,
        door: Door,
        monotonic: Callable[[], float],
        answered: Callable[[int], None] = lambda _status: None,
    ) -> None:
        self._pages = pages
        self._door = door
        self._monotonic = monotonic
        self._answered = answered
        self._told_at: float | None = None
        self._log = structlog.get_logger()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to one request; strangers may have to wait for theirs."""
        peer = request.remote or ""
        waiting_s = self._door.wait_s(peer, now=self._monotonic())
        if waiting_s:
            await asyncio.sleep(waiting_s)
        response = await self._find(request, peer)
        if request.body_exists:
            response.force_close()  # a request for a page has none: it is not waited for
        self._answered(response.status)
        return response

    async def _find(self, request: web.BaseRequest, peer: str) -> web.StreamResponse:
        if request.method not in METHODS:
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(METHODS)})
        page = self._pages.get(request.path)
        if page is None:
            return plain(HTTPStatus.NOT_FOUND)
        if page.private and not self._is_known(request, peer):
            return plain(HTTPStatus.FORBIDDEN)
        response = await page.answer(request)
        return response if response.prepared else dressed(response)

    def _is_known(self, request: web.BaseRequest, peer: str) -> bool:
        """A proxy in a known network speaks for anybody, so what came through one is not known."""
        proxied = any(name in request.headers for name in OF_PROXIES)
        known = not proxied and self._door.knows(peer)
        now = self._monotonic()
        if not known and (self._told_at is None or now - self._told_at >= TOLD_EVERY_S):
            self._told_at = now
            self._log.warning("http_peer_not_allowed", peer=peer, path=request.path, proxied=proxied)
        return known
