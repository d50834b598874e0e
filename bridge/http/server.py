"""The HTTP server as a whole: it listens, follows its certificate, and ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from bridge.certificate import LOOK_S, WITHOUT_S, Certificate
from bridge.config.endpoints import TcpAddress
from bridge.errors import ConfigurationError
from bridge.http import entrance
from bridge.http.entrance import Entrance
from bridge.http.opening import Opening
from bridge.http.visitor import Patience, Visitor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from bridge.http.door import Door
    from bridge.http.pages import Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where to listen. Port 0 takes `preferred_port` if it is free; TLS comes first if there is a certificate.

    Every `sweep_s` seconds connections are looked over for those that take too long.
    """

    listen: TcpAddress
    preferred_port: int = 0
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    patience: Patience = field(default_factory=Patience)
    sweep_s: float = 5.0


class HttpServer:
    """Serves pages. `listening` is called when it has begun, and when that has to wait for the address.

    `listeners` are sockets that listen already, for whoever was handed them.
    """

    def __init__(
        self,
        *,
        pages: Pages,
        door: Door,
        settings: HttpSettings,
        listening: Callable[[], None] = lambda: None,
        listeners: list[socket.socket] | None = None,
    ) -> None:
        """Raises ConfigurationError when the certificate cannot be used."""
        self._pages = pages
        self._settings = settings
        self._listening = listening
        self._listeners = listeners
        self._opening = Opening(settings.listen, preferred_port=settings.preferred_port, waiting=listening)
        self._certificate = load_certificate(settings)
        self._server = web.Server(self._answer)
        self._entrance = Entrance(
            door=door,
            invite=lambda gone: Visitor(self._server, patience=settings.patience, gone=gone),
            tls=None if self._certificate is None else self._certificate.context,
            handshake_s=settings.patience.handshake_s,
        )
        self._log = structlog.get_logger()
        self.address: TcpAddress | None = None
        """Where it is reached, while it listens."""

    @property
    def awaited(self) -> str:
        """Why it does not listen yet, while it tries."""
        return self._opening.awaited

    def prepare(self, *, tls_certificate: Path | None, tls_key: Path | None) -> Callable[[], None]:
        """Get ready for another certificate; what is returned has it shown to those who come from then on.

        Raises ConfigurationError when it cannot be used; then nothing has changed.
        """
        certificate = load_certificate(replace(self._settings, tls_certificate=tls_certificate, tls_key=tls_key))

        def use() -> None:
            self._certificate = certificate
            self._entrance.tls = None if certificate is None else certificate.context

        return use

    async def run(self) -> None:
        """Listen until cancelled, then let go of everybody. An address that is in use or not up yet is tried again.

        Raises ConfigurationError when the address can never be used.
        """
        listeners = self._listeners or await self._opening.open()
        self.address = TcpAddress(self._settings.listen.host, listeners[0].getsockname()[1])
        if self._listeners is None:  # else whoever opened them has told so
            self._log.info("http_listening", http=str(self.address), encrypted=self._certificate is not None)
        self._listening()
        try:
            async with asyncio.TaskGroup() as tasks:
                for listener in listeners:
                    tasks.create_task(self._entrance.accept(listener), name="http-accept")
                tasks.create_task(self._sweep(), name="http-sweep")
                tasks.create_task(self._follow(), name="http-certificate")
        finally:
            self.address = None
            entrance.close(listeners)
            self._entrance.cut_off()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        visitor = request.protocol
        assert isinstance(visitor, Visitor)
        visitor.asked()
        return await self._pages.answer(request)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S if self._certificate is not None else WITHOUT_S)
            if self._certificate is not None:
                self._certificate.look()

    async def _sweep(self) -> None:
        while True:
            if not self._entrance.visitors:
                self._entrance.visited.clear()
                await self._entrance.visited.wait()
            await asyncio.sleep(self._settings.sweep_s)
            for visitor in [each for each in self._entrance.visitors if each.overdue()]:
                visitor.cut_off()


def load_certificate(settings: HttpSettings) -> Certificate | None:
    """The certificate of these settings, if they have one; raises ConfigurationError when it cannot be used."""
    if settings.tls_certificate is None and settings.tls_key is None:
        return None
    if settings.tls_certificate is None or settings.tls_key is None:
        given, missing = ("tls_key", "tls_cert") if settings.tls_certificate is None else ("tls_cert", "tls_key")
        raise ConfigurationError(f"http.{given}: needs http.{missing} beside it; set both to PEM files, or neither")
    return Certificate(settings.tls_certificate, settings.tls_key, section="http")
