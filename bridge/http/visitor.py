"""One connection that has come in over HTTP, and is ended when it takes too long.

The library reads requests and writes answers. It closes what is idle, but waits for ever for one who does not read;
that is what is added here, and answers to what is no request that are as plain as all others.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import structlog
from aiohttp import web

from bridge.http.answers import plain

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_BYTES = 4096
HEADERS = 64
BLOCK_BYTES = 16 * 1024

_QUIET = logging.getLogger("bridge.http")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False  # what strangers send is no event; a defect of ours is logged as one below


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer may take, in seconds.

    `request_s` from one request to the next, its answer taken: then the connection is cut off; `idle_s` without a
    request: then it is closed in good order; `handshake_s` to agree on encryption.
    """

    request_s: float = 30.0
    idle_s: float = 20.0
    handshake_s: float = 10.0


class Visitor(web.RequestHandler):
    """A connection of the HTTP server. `gone` is called once, when it is over or never came about."""

    def __init__(self, server: web.Server, *, patience: Patience, gone: Callable[[Visitor], None]) -> None:
        self._own_loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=self._own_loop,
            keepalive_timeout=patience.idle_s,
            logger=_QUIET,
            access_log=None,  # type: ignore[arg-type]  # what its own runner is told for none
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=HEADERS,
            lingering_time=0,
            read_bufsize=BLOCK_BYTES,
            auto_decompress=False,
        )
        self._patience_s = patience.request_s
        self._gone: Callable[[Visitor], None] | None = gone
        self._link: asyncio.Transport | None = None
        self._since_s: float | None = self._own_loop.time()
        self._log = structlog.get_logger()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Requests may come from now on."""
        self._link = cast("asyncio.Transport", transport)  # uvloop's is one in all but inheritance
        super().connection_made(transport)

    def connection_lost(self, error: BaseException | None) -> None:
        """The connection is over."""
        super().connection_lost(error)
        self.leave()

    def leave(self) -> None:
        """Say that this visitor's place is free."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone(self)

    def asked(self) -> None:
        """A request has come: its answer, and the time until the next one, begin."""
        if self._since_s is not None:
            self._since_s = self._own_loop.time()

    def stay(self) -> None:
        """From now on the connection may last as long as whoever serves it wants."""
        self._since_s = None

    def overdue(self) -> bool:
        """Whether the peer has kept its place for too long."""
        return self._since_s is not None and self._own_loop.time() - self._since_s > self._patience_s

    def cut_off(self) -> None:
        """End the connection at once, whatever is on its way."""
        if self._link is not None:
            self._link.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request, or to one over which we failed: it says no more than that."""
        del exc, message
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._log.exception("http_request_failed", path=request.path)
        if request.writer.output_size > 0:
            raise ConnectionError("half of an answer is under way already")
        response = plain(HTTPStatus(status))
        response.force_close()
        return response
