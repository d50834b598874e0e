"""A connection before its link is there: what came is kept until somebody is there to be given it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from broker.gone import GONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.listeners import Listener

_READ = memoryview(bytearray(16_384))  # where the network's bytes arrive: one for all, since they leave it at once


class Doorstep(asyncio.BufferedProtocol):
    """One connection that stands at a door: `came` is called when it is there. What comes is kept, a read at a time.

    `opened` is set by whoever has given it its link.
    """

    __slots__ = (
        "_came",
        "_changed",
        "_early",
        "_ended",
        "_loop",
        "address",
        "excess",
        "listener",
        "opened",
        "transport",
    )

    def __init__(self, listener: Listener, came: Callable[[Doorstep], None]) -> None:
        self.listener = listener
        self.address = ""
        self.excess: str | None = None
        self.opened = False
        self._came = came
        self._loop = asyncio.get_running_loop()
        self._early = b""
        self._ended = False
        self._changed: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.BaseProtocol."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._came(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See asyncio.BufferedProtocol."""
        del sizehint
        return _READ

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio.BufferedProtocol."""
        self._early += _READ[:nbytes]
        self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """See asyncio.BufferedProtocol: who sends nothing more cannot come in."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.BaseProtocol."""
        del exc
        self._ended = True
        self.transport = GONE
        self._wake()

    async def early(self, *, at_least: int = 1) -> bytes:
        """What came so far, waiting for so many bytes. Raises EOFError when they do not come any more."""
        while len(self._early) < at_least:
            if self._ended:
                raise EOFError
            self._changed = self._loop.create_future()
            self.transport.resume_reading()
            await self._changed
        return self._early

    def drop(self, count: int) -> None:
        """So many bytes have been read."""
        self._early = self._early[count:]

    def pass_on(self, protocol: asyncio.BaseProtocol) -> None:
        """Give another protocol what came, in its place from now on; it has the transport already."""
        early, self._early = memoryview(self._early), b""
        if isinstance(protocol, asyncio.Protocol):
            if early:
                protocol.data_received(bytes(early))
            return
        buffered = cast("asyncio.BufferedProtocol", protocol)  # uvloop's TLS is one without saying so
        while early:
            room = cast("memoryview", buffered.get_buffer(len(early)))
            count = min(len(room), len(early))
            room[:count] = early[:count]
            buffered.buffer_updated(count)
            early = early[count:]

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Nobody(asyncio.BufferedProtocol):
    """Between two protocols: uvloop keeps the methods of the last that had a buffer, and so the whole of it."""

    get_buffer = staticmethod(lambda _sizehint: _READ)  # type: ignore[assignment]
    buffer_updated = staticmethod(lambda _nbytes: None)  # type: ignore[assignment]


NOBODY = Nobody()
