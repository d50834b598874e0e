"""What is seen of a running bridge over HTTP: its health and its readiness."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.daemon import runfile
from bridge.daemon.listening import last_port
from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.http.door import Door
from bridge.http.health import Readiness, alive
from bridge.http.pages import Page, Pages
from bridge.http.server import HttpServer, HttpSettings
from bridge.store import probe

if TYPE_CHECKING:
    from bridge.config.endpoints import TcpAddress
    from bridge.daemon.app import Bridge


class Seeing:
    """The HTTP server of a bridge, with its pages."""

    def __init__(self, bridge: Bridge, *, listen: TcpAddress) -> None:
        """Raises ConfigurationError when the certificate cannot be used."""
        settings = bridge.settings
        self._bridge = bridge
        checks = {"mail": self._mail, "store": self._store, "broker": self._broker}
        readiness = Readiness(checks, monotonic=time.monotonic)
        door = Door(networks=settings.http.networks)
        pages = {
            "/healthz": Page(alive, private=True),
            "/readyz": Page(readiness.page, private=True),
        }
        self.server = HttpServer(
            pages=Pages(pages, door=door, monotonic=time.monotonic),
            door=door,
            settings=HttpSettings(
                listen=listen,
                preferred_port=last_port(runfile.read(settings.run_dir, runfile.BRIDGE).get("http")),
                tls_certificate=settings.http.tls_cert,
                tls_key=settings.http.tls_key,
            ),
            listening=self._listening,
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        await self.server.run()

    def _listening(self) -> None:
        self._bridge.listening["http"] = str(self.server.address)
        self._bridge.presence.tell()

    # --- what has to be ready -----------------------------------------------------------------------

    async def _mail(self) -> str:
        settings, open_now = self._bridge.settings, self._bridge.ingress.addresses
        wanted = {"smtp": settings.smtp.listen, "smtps": settings.smtp.tls_listen, "lmtp": settings.lmtp.listen}
        missing = [
            f"{name} does not listen yet at {listen}"
            for name, listen in wanted.items()
            if listen and name not in open_now
        ]
        return "; ".join(missing)

    async def _store(self) -> str:
        try:
            await self._bridge.store.write(probe.write_nothing)
        except (StoreUnavailableError, StoreCorruptError) as error:
            return str(error)
        return ""

    async def _broker(self) -> str:
        if self._bridge.connected.connection is not None:
            return ""
        return f"not connected: {self._bridge.link.trouble or 'the first connection is under way'}"
