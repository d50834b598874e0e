"""The certificate that a listener shows, followed as it is renewed."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import structlog

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

LOOK_S = 2.0
"""How often the files are looked at."""
WITHOUT_S = 30.0
"""How often it is looked whether a listener has a certificate by now that had none."""

log = structlog.get_logger()


class Certificate:
    """The TLS context of a listener's connections: TLS 1.2 or newer with this chain and key, both PEM files.

    `section` is that of the configuration which has them as `tls_cert` and `tls_key`. Raises ConfigurationError when
    they cannot be used.
    """

    def __init__(self, chain: Path, key: Path, *, section: str) -> None:
        self._chain, self._key = chain, key
        self._stamp = self._times()
        try:
            self.context = self._load()
        except OSError as error:
            raise ConfigurationError(
                f"{section}.tls_cert = {str(chain)!r}, {section}.tls_key = {str(key)!r}: cannot be used: "
                f"{error.strerror or error}; "
                "name a PEM file with the certificate and one with its key, both readable by this user"
            ) from error

    async def follow(self, *, every_s: float = LOOK_S) -> None:
        """Use changed files for connections from then on, until cancelled; unusable ones leave the old in place."""
        while True:
            await asyncio.sleep(every_s)
            self.look()

    def look(self) -> None:
        """Use changed files for connections from now on; unusable ones leave the old in place."""
        stamp = self._times()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._load()  # first on its own: a chain whose key does not fit would spoil the context in use
            self.context.load_cert_chain(self._chain, self._key)
        except OSError as error:
            log.warning("certificate_not_loaded", file=str(self._chain), error=str(error))
        else:
            log.info("certificate_loaded", file=str(self._chain))

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._chain, self._key)
        return context

    def _times(self) -> tuple[int, ...]:
        with contextlib.suppress(OSError):
            return tuple(path.stat().st_mtime_ns for path in (self._chain, self._key))
        return ()
