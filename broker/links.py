"""The two ends of a connection, TCP or WebSocket, with or without TLS: amqtt's adapters, mended.

A reader gives whatever came, so that many small packets cost one step of the loop. A writer never
waits: it says how much is still unsent, so that a client that does not read is cut off before it costs memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter, WebSocketsReader, WebSocketsWriter
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from websockets.asyncio.connection import Connection

_CHUNK = 65_536


class ChunkReader(Protocol):
    """What the broker needs of the receiving side."""

    def chunk(self) -> Awaitable[bytes]:
        """The bytes that came, waiting for at least one; empty when the stream has ended.

        Raises ConnectionError.
        """


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


class StreamWriter(StreamWriterAdapter):
    """TCP or TLS."""

    @property
    def unsent(self) -> int:
        """Bytes in the transport's buffer."""
        return self._writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Hand bytes over. A connection that is gone swallows them: whoever reads from it notices the end."""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the transport's buffer is below its low mark. Raises ConnectionError."""
        await self._writer.drain()

    def abort(self) -> None:
        """Close the socket at once."""
        self._writer.transport.abort()

    def finish(self) -> None:
        """Say that nothing follows. TCP is only half closed: closing it with unread input could lose the rest."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()


class StreamReader(StreamReaderAdapter):
    """TCP or TLS."""

    def chunk(self) -> Awaitable[bytes]:
        """See ChunkReader; not a coroutine of its own, since each one costs an idle connection memory."""
        return self._reader.read(_CHUNK)


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
