"""A connection's two directions, over TCP or WebSocket, with or without TLS.

What is read is given as it came, so that many small packets cost one step of the loop. Writing never
waits: it says how much is still unsent, so that a client that does not read is cut off before it costs memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from amqtt.adapters import WebSocketsReader, WebSocketsWriter
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from websockets.asyncio.connection import Connection

_CHUNK = 65_536


class ChunkReader(Protocol):
    """What the broker needs of the receiving side."""

    def chunk(self) -> Awaitable[bytes]:
        """The bytes that came, waiting for at least one; empty when the stream has ended, however it did."""


class Writer(Protocol):
    """What the broker needs of the sending side."""

    def write(self, data: bytes) -> None:
        """Hand bytes over to be sent as soon as the client takes them."""

    async def drain(self) -> None:
        """Wait until most of what was written is sent."""

    @property
    def unsent(self) -> int:
        """Bytes handed over and not yet taken by the network."""

    def abort(self) -> None:
        """End the connection now, with what is unsent."""

    def finish(self) -> None:
        """Say that nothing follows, after all is sent."""


class StreamLink(asyncio.Protocol):
    """TCP or TLS, both directions in one small object; asyncio's streams are five, and four times as large.

    `accepted` is called once, when the connection is there. Of what nobody reads, 64 KiB and one read are held.
    """

    __slots__ = ("_accepted", "_drained", "_ended", "_loop", "_reading", "_transport", "_unread")

    def __init__(self, accepted: Callable[[StreamLink, asyncio.Transport], None]) -> None:
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()  # to ask each time would cost a system call
        self._unread = b""
        self._ended = False
        self._reading: asyncio.Future[bytes] | None = None
        self._drained: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._accepted(self, self._transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. What nobody waits for is kept, and soon no more is taken from the network."""
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(data)
            return
        already = len(self._unread)
        self._unread += data
        if already < _CHUNK <= len(self._unread):
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. A client may stop sending and still read; with TLS it cannot."""
        self._end()
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc  # however it ended, the reader sees the end
        self._end()
        self.resume_writing()

    def pause_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """See asyncio.BaseProtocol."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def chunk(self) -> Awaitable[bytes]:
        """See ChunkReader; not a coroutine, since each one costs an idle connection memory."""
        self._reading = self._loop.create_future()
        if self._unread or self._ended:
            self._reading.set_result(self._unread)
            if len(self._unread) >= _CHUNK and not self._transport.is_closing():
                self._transport.resume_reading()
            self._unread = b""
        return self._reading

    @property
    def unsent(self) -> int:
        """Bytes in the transport's buffer."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Hand bytes over. A connection that is gone swallows them: whoever reads from it notices the end."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the transport's buffer is below its low mark, or the connection is gone."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    def finish(self) -> None:
        """Say that nothing follows. TCP is only half closed: closing it with unread input could lose the rest."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _end(self) -> None:
        self._ended = True
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(b"")


class SocketReader(WebSocketsReader):
    """The byte stream inside the binary frames of a WebSocket; packets need not align [MQTT-6.0.0-2]."""

    async def chunk(self) -> bytes:
        """See ChunkReader; a text frame ends the stream [MQTT-6.0.0-1]."""
        data: str | bytes = b""
        while not data:  # an empty frame is nothing, not the end
            try:
                data = await self._protocol.recv()
            except ConnectionClosed:
                return b""
        return data if isinstance(data, bytes) else b""


class SocketWriter(WebSocketsWriter):
    """Collects what is written and sends it from one task, as one frame for all that came together."""

    def __init__(self, protocol: Connection) -> None:
        super().__init__(protocol)
        self._pending: list[bytes] = []
        self._size = 0
        self._sender: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def unsent(self) -> int:
        """Bytes collected here and in the transport's buffer."""
        return self._size + self._protocol.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Collect; a task sends."""
        self._pending.append(data)
        self._size += len(data)
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def drain(self) -> None:
        """Wait until all is handed to the transport."""
        if self._sender is not None:
            await self._sender

    def abort(self) -> None:
        """Close the socket at once."""
        self._protocol.transport.abort()

    def finish(self) -> None:
        """Send what is collected, then the closing handshake (bounded by the library's close timeout)."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end())

    async def _send(self) -> None:
        try:
            while self._pending:
                data = b"".join(self._pending)
                self._pending.clear()
                await self._protocol.send(data)
                self._size -= len(data)
        except ConnectionClosed:
            self._pending.clear()
            self._size = 0
        finally:
            self._sender = None

    async def _end(self) -> None:
        await self.drain()
        await self._protocol.close()
