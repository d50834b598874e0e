"""A connection's two directions: what the broker needs of them, and both over TCP or TLS.

What is read is given as it came, so that many small packets cost one step of the loop, and what is written in one
goes out as one piece. Writing never waits: it says how much is still unsent, so that a client that does not read is
cut off before it costs memory.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Protocol, cast

from broker.gone import GONE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from broker.writes import Writes

_CHUNK = 65_536
_PIECE = 32_768  # bytes that are written at once, though more may follow


class Link(Protocol):
    """What the broker needs of a connection."""

    known: bool
    """Whether the client has logged in; of a stranger less is taken."""

    fault: str | None
    """Why the link itself ended the connection."""

    refusal: str | None
    """Why the link itself turned the client away, before a byte of MQTT."""

    def chunk(self) -> Awaitable[bytes]:
        """The bytes that came, waiting for at least one; empty when the stream has ended, however it did."""

    @property
    def idle(self) -> bool:
        """Whether somebody waits for a chunk, and none has come, also not into the system's buffers."""

    def write(self, data: bytes) -> None:
        """Hand bytes over to be sent as soon as the client takes them."""

    async def drain(self) -> None:
        """Wait until most of what was written is sent."""

    @property
    def stuck(self) -> bool:
        """Whether the system takes nothing more at this moment."""

    @property
    def unsent(self) -> int:
        """Bytes handed over and not yet taken by the network."""

    def abort(self) -> None:
        """End the connection at once, with what is unsent."""

    def finish(self) -> None:
        """Say that nothing follows, after all is sent."""


class Arriving(Link, Protocol):
    """What is known of a connection before its client is."""

    address: str
    """The client's address without its port: of whom a listed proxy speaks for, once it has said so."""

    excess: str | None
    """Why there is no room for the client; it is told so in answer to its CONNECT."""


class StreamLink(asyncio.BaseProtocol):
    """What TCP and WebSocket share: both directions in one object; asyncio's streams are five, four times as large.

    `accepted` is called once, when the connection is there. Of what nobody reads, 64 KiB and one read are kept. What is
    written goes out when `writes` says so.
    """

    carrier = "tcp"
    """What the client's stream runs over: `tcp` or `websocket`."""

    __slots__ = (
        "_accepted", "_drained", "_ended", "_loop", "_pending", "_reading", "_transport", "_unread", "_writes",
        "address", "excess", "fault", "known", "refusal",
    )  # fmt: skip

    def __init__(self, accepted: Callable[[StreamLink, asyncio.Transport], None], writes: Writes) -> None:
        self.known = False
        self.address = ""
        self.excess: str | None = None
        self.fault: str | None = None
        self.refusal: str | None = None
        self._accepted = accepted
        self._transport: asyncio.Transport = GONE  # until it is there: TLS that fails tells of the loss alone
        self._loop = asyncio.get_running_loop()  # to ask each time would cost a system call
        self._unread = b""
        self._writes = writes
        self._pending: bytes | bytearray = b""  # written, and not handed over
        self._ended = False
        self._reading: asyncio.Future[bytes] | None = None
        self._drained: asyncio.Future[None] | None = None

    @property
    def encrypted(self) -> bool:
        """Whether it is TLS."""
        return self._transport.get_extra_info("sslcontext") is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._accepted(self, self._transport)

    def eof_received(self) -> bool:
        """See asyncio.Protocol. A client may stop sending and still read; with TLS it cannot."""
        self._end()
        return not self.encrypted

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
        """See Link; not a coroutine, since each one costs an idle connection memory."""
        self._reading = self._loop.create_future()
        if self._unread or self._ended:
            unread, self._unread = self._unread, b""
            self._reading.set_result(unread)
            if len(unread) >= _CHUNK:
                self._go_on_reading()
        return self._reading

    @property
    def idle(self) -> bool:
        """See Link. A loop that stood still has not yet read what came meanwhile, so the system is asked."""
        waiting = self._reading is not None and not self._reading.done()
        return waiting and not _ready(self._transport, select.POLLIN)

    @property
    def stuck(self) -> bool:
        """See Link."""
        return not _ready(self._transport, select.POLLOUT)

    @property
    def unsent(self) -> int:
        """Bytes kept here and in the transport's buffer."""
        return len(self._pending) + self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Keep bytes until the next flush."""
        pending = self._pending
        if not pending:
            self._pending = data
            self._writes.add(self)
        elif isinstance(pending, bytearray):
            pending += data
        else:
            self._pending = bytearray(pending)
            self._pending += data
        if len(self._pending) >= _PIECE:
            self.flush()

    def flush(self) -> None:
        """Hand over what was written. A connection that is gone swallows it: whoever reads from it notices the end."""
        data, self._pending = self._pending, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the transport's buffer is below its low mark, or the connection is gone."""
        self.flush()
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def abort(self) -> None:
        """Close the socket at once; what was written before is given to the system as far as that takes it."""
        self.flush()
        self._transport.abort()

    def finish(self) -> None:
        """Say that nothing follows. TCP is only half closed: closing it with unread input could lose the rest."""
        self.flush()
        if self._transport.is_closing():
            return  # it was cut, and whoever reads from it has not noticed yet
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _deliver(self, data: bytes) -> None:
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(data)
            return
        already = len(self._unread)
        self._unread += data
        if already < _CHUNK <= len(self._unread):
            self._stop_reading()

    def _stop_reading(self) -> None:
        self._transport.pause_reading()

    def _go_on_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _end(self) -> None:
        self._ended = True
        if self._reading is not None and not self._reading.done():
            self._reading.set_result(b"")


class TcpLink(StreamLink, asyncio.Protocol):
    """TCP or TLS: the stream is the network's."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. What nobody waits for is kept, and soon no more is taken from the network."""
        self._deliver(data)


class RelayedLink(TcpLink):
    """A page's stream, out of the WebSocket that Postbell's own web server ends."""

    __slots__ = ()

    carrier = "websocket"


def _ready(transport: asyncio.Transport, direction: int) -> bool:
    """Whether the system has bytes of a connection, or its end, to be read, or takes more of what is sent."""
    if transport.is_closing() or (descriptor := transport.get_extra_info("socket").fileno()) < 0:
        return False
    poll = select.poll()
    poll.register(descriptor, direction)
    return bool(poll.poll(0))
