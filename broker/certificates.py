"""The certificate of the secure listeners, loaded again when its files change."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import structlog

from broker.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from broker.settings import Broker

_POLL_S = 2.0  # between two looks at the files


class Certificates:
    """The TLS context of all secure listeners: TLS 1.2 or newer, client certificates if a CA is given.

    New connections use a renewed certificate as soon as the files change; nothing has to be restarted.
    """

    def __init__(self, broker: Broker) -> None:
        assert broker.tls_cert is not None
        assert broker.tls_key is not None
        self._cert, self._key, self._client_ca = broker.tls_cert, broker.tls_key, broker.tls_client_ca
        self._log = structlog.get_logger()
        self._stamp = self._times()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self.context.load_cert_chain(self._cert, self._key)
            if self._client_ca is not None:
                self.context.load_verify_locations(self._client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise _unusable(broker, error) from error

    def use(self, broker: Broker) -> None:
        """Follow the files of these settings from now on; raises ConfigurationError, and stays with its own."""
        assert broker.tls_cert is not None
        assert broker.tls_key is not None
        try:
            self._load(broker.tls_cert, broker.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(broker, error) from error
        self._cert, self._key = broker.tls_cert, broker.tls_key
        self._stamp = self._times()

    async def follow(self) -> None:
        """Load the files again whenever they change, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            self.reload()

    def reload(self) -> None:
        """Load the certificate again if the files changed; one that cannot be used leaves the old in place."""
        stamp = self._times()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._load(self._cert, self._key)
        except (OSError, ssl.SSLError) as error:
            self._log.warning("certificate_not_loaded", file=str(self._cert), error=str(error))
        else:
            self._log.info("certificate_loaded", file=str(self._cert))

    def _load(self, cert: Path, key: Path) -> None:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            cert, key
        )  # one that does not fit spoils it
        self.context.load_cert_chain(cert, key)

    def _times(self) -> tuple[int, ...]:
        with contextlib.suppress(OSError):
            return tuple(path.stat().st_mtime_ns for path in (self._cert, self._key))
        return ()


def _unusable(broker: Broker, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"broker.tls_cert = {str(broker.tls_cert)!r}, broker.tls_key = {str(broker.tls_key)!r}: cannot be used: {error}"
    )
