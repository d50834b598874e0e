"""The addresses the broker listens on: TCP and WebSocket, plain and with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import structlog

from broker.errors import ListenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from broker.address import Address
    from broker.settings import Broker

_PATIENCE_S = 10.0  # of waiting for a port that the last broker process may still hold
_RETRY_S = 0.1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listener:
    """One address to listen on. `name` is also its key in the run file."""

    name: str
    address: Address
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
        Listener(name, address, websocket=websocket, tls=tls)
        for name, address, websocket, tls in wanted
        if address is not None
    ]


async def bind(listener: Listener, last_port: int | None, create: Callable[[int], Awaitable[T]]) -> T:
    """Create a server, patiently when its fixed port is busy. Port 0 takes the last run's port if it is free.

    Raises ListenError.
    """
    if listener.address.port == 0 and last_port:
        with contextlib.suppress(OSError):
            return await create(last_port)
    loop = asyncio.get_running_loop()
    give_up_at, told, place = loop.time() + _PATIENCE_S, False, str(listener.address)
    while True:
        try:
            return await create(listener.address.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() > give_up_at:
                raise ListenError(f"cannot listen on {place} ({listener.name}): {error.strerror}") from error
            if not told:
                structlog.get_logger().warning("address_in_use", listener=listener.name, address=place)
                told = True
        await asyncio.sleep(_RETRY_S)
