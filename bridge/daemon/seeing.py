"""What is seen of a running bridge over HTTP: its health, its readiness, its metrics."""

from __future__ import annotations

import asyncio
import random
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from bridge.daemon import runfile
from bridge.daemon.gathering import Gathering
from bridge.daemon.lag import LoopLag
from bridge.daemon.listening import last_port
from bridge.daemon.web_host import WebHost
from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.http.channel import WebSettings
from bridge.http.door import Door
from bridge.http.health import Readiness, alive
from bridge.http.pages import Page, Pages
from bridge.http.server import HttpServer, HttpSettings
from bridge.http.upstream import Upstream
from bridge.metrics.expiry import Expiries
from bridge.metrics.exposition import CONTENT_TYPE, Exposition
from bridge.publish.backoff import Backoff
from bridge.store import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.config.endpoints import TcpAddress
    from bridge.config.settings import Settings
    from bridge.daemon.app import Bridge

GOOD_FOR_S = 1.0
"""Metrics are told again for so long: many who ask at once cost one reading."""


class Seeing:
    """The HTTP server of a bridge, with its pages."""

    def __init__(self, bridge: Bridge, *, listen: TcpAddress) -> None:
        """Raises ConfigurationError when the certificate cannot be used."""
        settings = bridge.settings
        self._bridge = bridge
        self._listen = listen
        self._lag = LoopLag()
        readiness = Readiness(
            {"mail": self._mail, "store": self._store, "broker": self._broker}, monotonic=time.monotonic
        )
        self._expiries = Expiries(_certificates(settings))
        self._gathering = Gathering(
            bridge,
            problems=readiness.problems,
            expiries_s=self._expiries.ends_s,
            lag_s=lambda: self._lag.worst_s,
            now_s=time.time,
            version=version("postbell"),
        )
        self._exposition = Exposition()
        self._told, self._told_at_s = b"", float("-inf")
        self._one_at_a_time = asyncio.Lock()
        self._pages = {"/healthz": alive, "/readyz": readiness.page, "/metrics": self._metrics}
        self._door = Door(networks=settings.http.networks)
        self.server = self._make_host(listen) if settings.http.web else self._make_server(listen)

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Get ready for other settings; what is returned has them hold. Raises ConfigurationError."""
        if isinstance(self.server, WebHost):
            use_server = self.server.prepare(self._http(settings, listen=self._listen), web_settings(settings))
        else:
            use_server = self.server.prepare(tls_certificate=settings.http.tls_cert, tls_key=settings.http.tls_key)

        def use() -> None:
            use_server()
            self._door.networks = settings.http.networks
            self._expiries.files = _certificates(settings)

        return use

    def _make_server(self, listen: TcpAddress) -> HttpServer:
        """What serves from this process, where there are few who ask."""
        pages = {path: Page(answer, private=True) for path, answer in self._pages.items()}
        return HttpServer(
            pages=Pages(pages, door=self._door, monotonic=time.monotonic, answered=self._answered),
            door=self._door,
            settings=self._http(self._bridge.settings, listen=listen),
            listening=self._listening,
        )

    def _make_host(self, listen: TcpAddress) -> WebHost:
        """What keeps a process that serves the web client, and these pages as well."""
        return WebHost(
            settings=self._http(self._bridge.settings, listen=listen),
            told=web_settings(self._bridge.settings),
            pages=self._pages,
            answered=self._answered,
            listening=self._listening,
            backoff=Backoff(),
            jitter=random.random,
            monotonic=time.monotonic,
        )

    def _http(self, settings: Settings, *, listen: TcpAddress) -> HttpSettings:
        return HttpSettings(
            listen=listen,
            preferred_port=last_port(runfile.read(settings.run_dir, runfile.BRIDGE).get("http")),
            tls_certificate=settings.http.tls_cert,
            tls_key=settings.http.tls_key,
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.server.run(), name="http-server")
            tasks.create_task(self._gathering.watch(), name="outbox-age")
            tasks.create_task(self._lag.watch(), name="loop-lag")

    def _listening(self) -> None:
        if self.server.address is None:
            self._bridge.awaited["http"] = self.server.awaited
        else:
            self._bridge.awaited.pop("http", None)
            self._bridge.listening["http"] = str(self.server.address)
        self._bridge.presence.tell()

    def _answered(self, status: int, count: int = 1) -> None:
        self._bridge.tally.pages[status] += count

    async def _metrics(self, _request: web.BaseRequest | None = None) -> web.Response:
        async with self._one_at_a_time:
            if time.monotonic() - self._told_at_s >= GOOD_FOR_S:
                self._told = self._exposition.page(await self._gathering.read())
                self._told_at_s = time.monotonic()
            return web.Response(body=self._told, headers={"Content-Type": CONTENT_TYPE})

    # --- what has to be ready -----------------------------------------------------------------------

    async def _mail(self) -> str:
        settings, open_now = self._bridge.settings, self._bridge.ingress.addresses
        wanted = {"smtp": settings.smtp.listen, "smtps": settings.smtp.tls_listen, "lmtp": settings.lmtp.listen}
        missing = {name: listen for name, listen in wanted.items() if listen and name not in open_now}
        return "; ".join(f"{name} does not listen yet at {listen}" for name, listen in missing.items())

    async def _store(self) -> str:
        try:
            await self._bridge.store.write(probe.write_nothing)
        except (StoreUnavailableError, StoreCorruptError) as error:
            return str(error)
        return ""

    async def _broker(self) -> str:
        if self._bridge.main.connected.connection is not None:
            return ""
        return f"not connected: {self._bridge.main.link.trouble or 'the first connection is under way'}"


def _certificates(settings: Settings) -> dict[str, Path]:
    """The certificates that are shown, by what shows them; the broker loads that of its listeners itself."""
    of_the_broker = settings.broker.others.get("tls_cert")
    chains = {"smtp": settings.smtp.tls_cert, "http": settings.http.tls_cert, "mqtts": of_the_broker}
    return {name: Path(chain) for name, chain in chains.items() if chain}


def web_settings(settings: Settings) -> WebSettings:
    """What the web server is told of these settings."""
    http, url = settings.http, settings.mqtt.url
    if settings.broker.embedded:
        upstream = Upstream(run_dir=str(settings.run_dir))
    else:
        assert url is not None, "without a broker of our own the configuration has mqtt.url"
        ca_file = None if settings.mqtt.ca_file is None else str(settings.mqtt.ca_file)
        upstream = Upstream(host=url.address.host, port=url.address.port, encrypted=url.encrypted, ca_file=ca_file)
    return WebSettings(
        upstream=upstream,
        networks=http.networks,
        proxies=http.proxies,
        origin="" if http.public_url is None else str(http.public_url),
        tls_certificate=None if http.tls_cert is None else str(http.tls_cert),
        tls_key=None if http.tls_key is None else str(http.tls_key),
        connections=http.connections,
        connections_per_address=http.connections_per_address,
        log_level=settings.log.level,
        log_format=settings.log.format,
    )
