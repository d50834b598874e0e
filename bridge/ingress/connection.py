"""The connection under a conversation: who may come in, what goes out, TLS, PROXY, and the end."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, cast

import structlog
from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import SMTP

from bridge.ingress import replies
from bridge.ingress.deadline import Deadline
from bridge.ingress.reading import MailReader

if TYPE_CHECKING:
    from bridge.ingress.context import IngressContext
    from bridge.model import Reply

HANDSHAKE_S = 30.0
LINGER_S = 2.0
LINGER_BYTES = 2**20

log = structlog.get_logger()


class SmtpConnection(SMTP):
    """A connection from a mail sender, counted in and out, with gathered output and a deadline.

    From aiosmtpd it takes the stream protocol, and its heirs the login mechanisms. The library's
    constructor is passed by: looking up hooks, mechanisms and the host name anew for every
    connection costs more than a small message.
    """

    _reader: MailReader

    def __init__(self, context: IngressContext) -> None:
        self.loop = asyncio.get_running_loop()
        reader = MailReader(loop=self.loop)
        asyncio.StreamReaderProtocol.__init__(self, reader, self._cb_client_connected, self.loop)
        self.session = None
        self.transport: asyncio.Transport | None = None
        self._original_transport = None
        self._handler_coroutine: asyncio.Task[None] | None = None
        self._context = context
        self._limits = context.limits
        self._address = ""
        self._counted_as: str | None = None
        self._ended = False
        self._dropped: int | None = None
        self._said: list[bytes] = []
        self._session_ends_at = self.loop.time() + self._limits.session_timeout_s
        self._deadline = Deadline(self.loop, self._timed_out)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or send the reply that refuses it."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but inheritance
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if isinstance(peer, tuple) else ""
        if not self._come_in("" if self._context.trust.is_proxy(self._address) else self._address):
            transport.write(b"".join(self._said))
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the conversation by way of its reader; a delivery that is going on ends undisturbed."""
        self._deadline.cancel()
        self._go_out()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None

    def eof_received(self) -> bool | None:
        """Let the conversation answer what had arrived before the sender closed its side."""
        stay_open = asyncio.StreamReaderProtocol.eof_received(self)
        return stay_open and self._dropped is None

    def data_received(self, data: bytes) -> None:
        """Take what the sender says, or drop it when all is said."""
        if self._dropped is None:
            asyncio.StreamReaderProtocol.data_received(self, data)
            return
        self._dropped += len(data)
        if self._dropped > LINGER_BYTES:
            self.drop()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Do nothing: our own deadline does not run while we are at work."""

    @property
    def ended(self) -> asyncio.Task[None]:
        """The task that is done when the session is over."""
        assert self._handler_coroutine is not None
        return self._handler_coroutine

    def _come_in(self, address: str) -> bool:
        refusal = self._context.gate.enter(address)
        if refusal is not None:
            self.farewell(refusal)
            return False
        self._counted_as = address
        return True

    def _go_out(self) -> None:
        if self._counted_as is not None:
            self._context.gate.leave(self._counted_as)
            self._counted_as = None

    def say(self, reply: Reply) -> None:
        """Reply; it goes out when the next command is waited for."""
        if reply.code >= 400:
            self._context.tally.refusals[reply.code, reply.status] += 1
        self._said.append(f"{reply}\r\n".encode("ascii", "replace"))

    def farewell(self, reply: Reply) -> None:
        """Reply and end the session."""
        if reply.code == 421:
            usual = reply in {replies.SHUTTING_DOWN, replies.TIMED_OUT}
            tell = log.info if usual else log.warning
            tell("smtp_session_ended", peer=self._address, reply=str(reply))
        self.say(reply)
        self._ended = True

    async def push(self, status: str | bytes) -> None:
        """Reply in the library's own way: a finished line without its end."""
        line = status if isinstance(status, bytes) else status.encode("ascii", "replace")
        self._said.append(line + b"\r\n")
        await self._flush()

    async def _flush(self) -> None:
        if self._said and self.transport is not None:
            data = b"".join(self._said)
            self._said.clear()
            self._writer.write(data)
            await self._writer.drain()

    def _await_sender(self) -> None:
        """From now on it is the sender's turn, and its time runs until the deadline is lifted."""
        self._deadline.set(min(self.loop.time() + self._limits.command_timeout_s, self._session_ends_at))

    def _timed_out(self) -> None:
        self.farewell(replies.TIMED_OUT)
        self.ended.cancel()

    def stop(self) -> None:
        """End the session wherever it is, telling the sender to come back later."""
        if not self._ended:
            self.farewell(replies.SHUTTING_DOWN)
            self.ended.cancel()

    async def _read_proxy_header(self) -> bool:
        """Learn the real peer from PROXY v1 or v2, of which only a configured proxy is believed."""
        self._await_sender()
        header = await get_proxy(self._reader)
        self._deadline.lift()
        if not header.valid:
            log.warning("proxy_header_invalid", peer=self._address, problem=header.error)
            return False
        if header.src_addr is not None and not isinstance(header.src_addr, bytes):
            self._address = str(header.src_addr)
            self._go_out()
            return self._come_in(self._address)
        return True

    async def _start_tls(self, *, begun: bool = False) -> None:
        """Encrypt from here on; what was sent in the clear and not yet read is dropped (RFC 3207 §4.2).

        Only what came before our reply can be that: behind it the sender speaks TLS, and what was read of that already
        goes to TLS. Where TLS was `begun` with the first byte, so does all of it.
        Raises ConnectionAbortedError when the handshake fails.
        """
        assert self._context.tls is not None
        if not begun:
            self._reader.forget()
        await self._flush()
        handshake = self.loop.create_task(
            self._writer.start_tls(self._context.tls, ssl_handshake_timeout=HANDSHAKE_S), name="smtp-handshake"
        )
        if self.transport is not None:
            pass_on = functools.partial(self._pass_on_to_tls, self.transport)
            self.loop.call_soon(self.loop.call_soon, pass_on)  # behind the task's first step, which stops reading
        try:
            await handshake
        except OSError as error:
            log.info("tls_handshake_failed", peer=self._address, problem=str(error))
            self._go_out()
            self.transport = None  # it is closed, and uvloop's does not take a farewell any more
            raise ConnectionAbortedError from error
        self.transport = cast("asyncio.Transport", self._writer.transport)
        self._reader.attach(self.transport)

    def _pass_on_to_tls(self, transport: asyncio.Transport) -> None:
        """Give TLS the beginning of its handshake, which came before TLS was there.

        Called in the step of the loop in which TLS takes its place, and before more is read.
        """
        tls = cast("asyncio.BufferedProtocol", transport.get_protocol())  # uvloop's is one in all but inheritance
        early = memoryview(self._reader.take())
        while early:
            room = cast("memoryview", tls.get_buffer(len(early)))
            count = min(len(room), len(early))
            room[:count] = early[:count]
            tls.buffer_updated(count)
            early = early[count:]

    def _end(self) -> None:
        """Send what is still to be said, then close.

        Closing with data unread would destroy the last replies on their way, so what still comes is
        dropped until the sender closes its side, for a moment and up to a bound.
        """
        self._deadline.cancel()
        if self.transport is None:
            return
        self.transport.write(b"".join(self._said))
        try:
            lingers = self.transport.can_write_eof() and not self._reader.ended
            if lingers:
                self._dropped = 0
                self.transport.write_eof()
                self._reader.forget()
        except OSError:
            lingers = False  # the sender has reset the connection
        if not lingers:
            self.transport.close()
        self._deadline = Deadline(self.loop, self.drop)
        self._deadline.set(self.loop.time() + LINGER_S)

    def drop(self) -> None:
        """Close at once, whatever is on its way."""
        if self.transport is not None:
            self.transport.abort()
