"""The addresses the broker listens on: TCP and WebSocket, plain and with TLS; ports that survive a restart."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import ssl
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TypeVar

import structlog

from broker.errors import ConfigurationError, ListenError
from broker.settings import split

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from broker.settings import Broker

_PATIENCE_S = 10.0  # of waiting for a port that the last broker process may still hold
_LOCK_PATIENCE_S = 3.0  # of waiting until it is gone
_RETRY_S = 0.1
_CERTIFICATE_POLL_S = 2.0  # between two looks at the files

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listener:
    """One address to listen on. `name` is also its key in the run file."""

    name: str
    host: str
    port: int
    websocket: bool
    tls: bool


def configured(broker: Broker) -> list[Listener]:
    """The listeners that are switched on."""
    wanted = (
        ("mqtt", broker.listen, False, False),
        ("websocket", broker.websocket, True, False),
        ("mqtts", broker.tls_listen, False, True),
        ("secure_websocket", broker.secure_websocket, True, True),
    )
    return [
        Listener(name, *split(address), websocket=websocket, tls=tls)
        for name, address, websocket, tls in wanted
        if address
    ]


class RunFile:
    """`<state_dir>/run/broker.json`: where a running broker is reached, and which ports to take again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[str] | None = None

    async def claim(self) -> None:
        """Make sure that no other broker uses this state directory, waiting for one that is just ending.

        Raises ListenError. The lock goes with the process, however it ends.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._path.with_suffix(".lock").open("w", encoding="utf-8")
        deadline = asyncio.get_running_loop().time() + _LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    place = self._path.parent.parent
                    raise ListenError(f"state_dir = {str(place)!r}: another broker is running with it") from None
            else:
                return
            await asyncio.sleep(_RETRY_S)

    def ports(self) -> dict[str, int]:
        """The ports of the last run by listener name; empty when there was none."""
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return {name: split(address)[1] for name, address in told.items() if isinstance(address, str)}
        except (OSError, ValueError, AttributeError):
            return {}

    def write(self, addresses: dict[str, str]) -> None:
        """Say where this process listens, atomically. Listeners that are off are null."""
        names = ("mqtt", "websocket", "mqtts", "secure_websocket")
        told = {"pid": os.getpid(), **{name: addresses.get(name) for name in names}}
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(self._path)


async def bind(listener: Listener, last_port: int | None, create: Callable[[int], Awaitable[T]]) -> T:
    """Create a server, patiently when its fixed port is busy. Port 0 takes the last run's port if it is free.

    Raises ListenError.
    """
    if listener.port == 0 and last_port:
        with contextlib.suppress(OSError):
            return await create(last_port)
    loop = asyncio.get_running_loop()
    deadline, told, place = loop.time() + _PATIENCE_S, False, f"{listener.host}:{listener.port}"
    while True:
        try:
            return await create(listener.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() > deadline:
                raise ListenError(f"cannot listen on {place} ({listener.name}): {error.strerror}") from error
            if not told:
                structlog.get_logger().warning("address_in_use", listener=listener.name, address=place)
                told = True
        await asyncio.sleep(_RETRY_S)


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
            raise ConfigurationError(
                f"broker.tls_cert = {str(self._cert)!r}, broker.tls_key = {str(self._key)!r}: cannot be used: {error}"
            ) from error

    async def follow(self) -> None:
        """Load the files again whenever they change, until cancelled."""
        while True:
            await asyncio.sleep(_CERTIFICATE_POLL_S)
            self.reload()

    def reload(self) -> None:
        """Load the certificate again if the files changed; one that cannot be used leaves the old in place."""
        stamp = self._times()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._cert, self._key)
            self.context.load_cert_chain(self._cert, self._key)
        except (OSError, ssl.SSLError) as error:
            self._log.warning("certificate_not_loaded", file=str(self._cert), error=str(error))
        else:
            self._log.info("certificate_loaded", file=str(self._cert))

    def _times(self) -> tuple[int, ...]:
        with contextlib.suppress(OSError):
            return tuple(path.stat().st_mtime_ns for path in (self._cert, self._key))
        return ()
