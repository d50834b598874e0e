"""The listening sockets of HTTP: opened now, or as soon as the address can be had."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from bridge.config import ports
from bridge.config.ports import Trouble
from bridge.errors import ConfigurationError
from bridge.http import entrance

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from bridge.config.endpoints import TcpAddress

RETRY_S = 2.0
KEY = ("http", "listen")


class Opening:
    """Opens the sockets at an address; port 0 takes `preferred_port` if it is free.

    `waiting` is called when that has to wait for the address.
    """

    def __init__(self, listen: TcpAddress, *, preferred_port: int, waiting: Callable[[], None]) -> None:
        self._listen = listen
        self._preferred_port = preferred_port
        self._waiting = waiting
        self._log = structlog.get_logger()
        self.awaited = ""
        """Why they are not open yet, while it tries."""

    async def open(self) -> list[socket.socket]:
        """The sockets. An address that is in use or not up yet is tried again.

        Raises ConfigurationError when the address can never be used.
        """
        while True:
            try:
                listeners = await self._bind()
            except OSError as error:
                await self._await(error)
            else:
                self.awaited = ""
                return listeners

    async def _await(self, error: OSError) -> None:
        address = str(self._listen)
        fault = await asyncio.to_thread(ports.fault, Trouble(KEY, self._listen, error))
        if not fault.may_pass:
            raise ConfigurationError(f"http.listen = {address!r}: {fault.problem}; {fault.cure}") from error
        if not self.awaited:
            self.awaited, cure = fault.problem, f"http.listen: {fault.cure}"
            self._log.warning("listener_awaited", listener="http", address=address, reason=self.awaited, cure=cure)
            self._waiting()
        await asyncio.sleep(RETRY_S)

    async def _bind(self) -> list[socket.socket]:
        host, port = self._listen.host, self._listen.port
        if port == 0 and self._preferred_port:
            with contextlib.suppress(OSError):
                return await entrance.bind(host, self._preferred_port)
        return await entrance.bind(host, port)
