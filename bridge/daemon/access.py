"""How the bridge gets to its broker: where that is, and with which password."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Protocol

from bridge.config.endpoints import MqttUrl, TcpAddress
from bridge.daemon import runfile
from bridge.errors import ConfigurationError, LinkDownError
from bridge.publish.target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from bridge.config.settings import Settings
    from bridge.daemon.own_login import OwnLogin


class Grant(Protocol):
    """What makes a fresh password of a login that the embedded broker will know."""

    def __call__(self, username: str, *, node: str) -> Awaitable[str]:
        """The password, once it is on disk; raises StoreUnavailableError."""


class Access:
    """The way to the broker of these settings; `own` is there where another broker's login files are kept."""

    def __init__(
        self,
        settings: Settings,
        *,
        grant: Grant,
        renew: Callable[[str], Awaitable[tuple[str, str]]],
        own: OwnLogin | None,
    ) -> None:
        self._settings = settings
        self._grant = grant
        self._renew = renew
        self._own = own
        self._password = ""

    async def prepare(self) -> None:
        """Get ready to log in. Raises ConfigurationError, or what `grant` raises."""
        settings = self._settings
        _require_certificates(settings.mqtt.ca_file)
        if self._own is not None:
            await self._own.take_up()
        elif settings.own_secret is not None:
            try:
                self._password = settings.own_secret.read()
            except OSError as error:
                raise ConfigurationError(
                    f"mqtt.password_file = {str(settings.own_secret.path)!r}: {error.strerror}; "
                    "write the bridge's password into it, or leave the key out"
                ) from error
        elif settings.broker.embedded:
            self._password = await self._grant(settings.broker_login, node=settings.node)

    async def renew(self) -> None:
        """Take a new password at the embedded broker, which ends the connection and keeps the session.

        Raises ConfigurationError where the password stands in a file, and what `renew` raises.
        """
        if self._settings.own_secret is not None or not self._settings.broker.embedded:
            raise ConfigurationError(
                "the bridge's own password is not the embedded broker's: change it at the broker, and then in the file "
                f"that mqtt.password_file names ({self._settings.password_file or 'none'})"
            )
        _, self._password = await self._renew(self._settings.node)

    def target(self) -> Target:
        """Where to connect to now; raises LinkDownError while the embedded broker has not said where it listens."""
        settings = self._settings
        url = settings.mqtt.url
        if url is None:
            said = runfile.read(settings.run_dir, runfile.BROKER)
            listening, running = said.get("mqtt"), runfile.running(settings.run_dir, runfile.BROKER)
            if running and (reason := said.get("awaited", {}).get("mqtt")):
                raise LinkDownError(f"the broker does not listen yet at {settings.broker.listen}: {reason}")
            if not listening or not running:
                raise LinkDownError("the broker has not said yet where it listens")
            url = MqttUrl.of(TcpAddress.parse(listening))
        if settings.own_secret is not None:  # it may have been changed since the last try
            with contextlib.suppress(OSError, ConfigurationError):
                self._password = settings.own_secret.read()
        return Target(url, settings.broker_login, self._password, settings.mqtt.ca_file)


def _require_certificates(ca_file: Path | None) -> None:
    """No broker can be trusted by a file without certificates: to try again for ever would not help."""
    try:
        if ca_file is not None:
            ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"mqtt.ca_file = {str(ca_file)!r}: {error.strerror or error}; "
            "name a PEM file of certificates, or leave the key out to trust the system's"
        ) from error
