"""The addresses the broker listens on: TCP and WebSocket, plain and with TLS."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from broker.address import Address
from broker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from broker.settings import Broker

_FIRST_S, _LONGEST_S = 0.1, 5.0  # between two tries
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENETDOWN}
_USE_IT = "if that is a broker, as mosquitto, use it: broker.embedded = false and mqtt.url; or choose another port"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listener:
    """One address to listen on. `name` is also its key in the run file."""

    name: str
    key: str
    address: Address
    websocket: bool
    tls: bool
    proxied: bool = False
    """Whether whoever comes speaks for somebody else, and says so in a PROXY header."""


RELAY = Listener("relay", "", Address("", 0), websocket=False, tls=False, proxied=True)
"""The way of Postbell's own web server, which speaks for pages: a UNIX socket that nobody else may open."""


class UnavailableError(Exception):
    """A listener cannot be opened now; it may be later. `reason` says why, `cure` what an operator could do."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cure = cure


def configured(broker: Broker) -> list[Listener]:
    """The listeners that are switched on."""
    wanted = (
        ("mqtt", "listen", False, False),
        ("websocket", "websocket", True, False),
        ("mqtts", "tls_listen", False, True),
        ("secure_websocket", "secure_websocket", True, True),
    )
    return [
        Listener(name, f"broker.{key}", address, websocket=websocket, tls=tls)
        for name, key, websocket, tls in wanted
        if (address := getattr(broker, key)) is not None
    ]


async def bind(listener: Listener, last_port: int | None, create: Callable[[int], Awaitable[T]]) -> T:
    """Create a server; for port 0 at the last run's port if that is free.

    Raises UnavailableError for what may pass by itself, and ConfigurationError for what only a person can mend.
    """
    if listener.address.port == 0 and last_port:
        with contextlib.suppress(OSError):
            return await create(last_port)
    try:
        return await create(listener.address.port)
    except OSError as error:
        reason, cure = _judged(listener, error)
        if reason:
            raise UnavailableError(reason, f"{listener.key}: {cure}") from error
        raise ConfigurationError(f"{listener.key} = {str(listener.address)!r}: {cure}") from error


async def bind_relay(path: Path, create: Callable[[str], Awaitable[T]]) -> T:
    """Create a server at a UNIX socket for this user alone; raises OSError.

    The path of a socket may not be longer than 107 bytes, so it is reached by a descriptor of its directory. That is
    left open: by this path the loop removes the socket when the server closes.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - there is no path that would do it without the loop
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    server = await create(f"/proc/self/fd/{directory}/{path.name}")
    os.chmod(path.name, 0o600, dir_fd=directory)
    return server


def delay_s(attempt: int, *, jitter: float) -> float:
    """Seconds before try number `attempt`, counted from 0; `jitter` is from 0 to 1."""
    return min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt, 32)) * (0.5 + jitter / 2)


def _judged(listener: Listener, error: OSError) -> tuple[str, str]:
    """Why it cannot be listened on, if that may pass, and what cures it."""
    code = error.errno
    if isinstance(error, socket.gaierror):
        return "no address is known for this name", "mend the name, or write the address itself"
    if code == errno.EADDRINUSE:
        return "another program listens there", _USE_IT if listener.name == "mqtt" else "end it, or choose another port"
    if code in {errno.EADDRNOTAVAIL, None}:  # no number: all addresses of a name were tried
        return "this machine does not have that address now", "write one that it has, if this is none of them"
    if code in _SHORTAGES:
        return os.strerror(code), "make room for it"
    if code in {errno.EACCES, errno.EPERM}:
        return "", "this user may not listen there; choose a port from 1024 up, or allow it (CAP_NET_BIND_SERVICE)"
    return "", f"it cannot be listened on: {os.strerror(code)}; choose another address"
