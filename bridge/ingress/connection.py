"""The connection under a conversation: who may come in, what comes, what goes out, whose turn it is, and the end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import structlog

from bridge.ingress import replies
from bridge.ingress.deadline import Deadline
from bridge.ingress.reading import Unread

if TYPE_CHECKING:
    from bridge.ingress.context import IngressContext
    from bridge.reply import Reply

LINGER_S = 2.0
LINGER_BYTES = 2**20
BUFFER_BYTES = 64 * 1024
"""Reading from the network pauses when more than twice as much waits unread, and goes on below it."""

log = structlog.get_logger()


class Connection(asyncio.Protocol):
    """A connection from a mail sender: counted in and out, with gathered output, bounded input and a deadline.

    An heir says in `_opened`, `_came`, `_closed` and `_timed_out` what is done when the sender was let in, has sent
    more, closes its side or is lost, and when its time is over.
    """

    def __init__(self, context: IngressContext) -> None:
        self._context = context
        self._limits = context.limits
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """Done when the session is over; its last replies may still be on their way."""
        self._address = ""
        self._incoming = Unread()
        self._said: list[bytes] = []
        self._counted_as: str | None = None
        self._parting = False
        self._waits = False
        self._choked = False
        self._paused = False
        self._eof = False
        self._dropped: int | None = None
        self._session_ends_at = self._loop.time() + self._limits.session_timeout_s
        self._deadline = Deadline(self._loop, self._timed_out)

    # --- what an heir does ---------------------------------------------------------------------------------

    def _opened(self) -> None:
        """The sender was let in."""

    def _came(self) -> None:
        """More has come, or goes out again; behind it `_regulate` is called."""

    def _closed(self) -> None:
        """No more will come."""

    def _timed_out(self) -> None:
        """The sender has not done in time what it was its turn to do."""

    # --- what the event loop says --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or send the reply that refuses it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but inheritance
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if isinstance(peer, tuple) else ""
        if self._come_in("" if self._context.trust.is_proxy(self._address) else self._address):
            self._opened()
            return
        self.transport.write(b"".join(self._said))
        self.transport.close()
        self.transport = None

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the conversation; a delivery that is going on ends undisturbed."""
        del error
        self._deadline.cancel()
        self._go_out()
        self.transport = None
        self._closed()

    def data_received(self, data: bytes) -> None:
        """Take what the sender says, or drop it when all is said."""
        if self._dropped is not None:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.drop()
            return
        self._incoming.add(data)
        self._came()

    def eof_received(self) -> bool | None:
        """Let the conversation answer what had arrived before the sender closed its side."""
        self._eof = True
        stay_open = self._dropped is None and self.transport is not None and self.transport.can_write_eof()
        self._closed()
        return stay_open

    def pause_writing(self) -> None:
        """The sender does not take what is said: nothing more is obeyed until it does."""
        self._choked = True

    def resume_writing(self) -> None:
        """It does again."""
        self._choked = False
        self._came()

    def _regulate(self) -> None:
        """Read no more than there is room for."""
        waiting = len(self._incoming.came)
        if (not waiting and not self._paused) or self.transport is None or self.ended.done():
            return
        if waiting > 2 * BUFFER_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        elif self._paused and waiting <= BUFFER_BYTES:
            self._paused = False
            self.transport.resume_reading()

    # --- who is there --------------------------------------------------------------------------------------

    def _come_in(self, address: str) -> bool:
        refusal = self._context.gate.enter(address)
        if refusal is not None:
            self._part(refusal)
            return False
        self._counted_as = address
        return True

    def _go_out(self) -> None:
        if self._counted_as is not None:
            self._context.gate.leave(self._counted_as)
            self._counted_as = None

    # --- what is said, and whose turn it is ----------------------------------------------------------------

    def _say(self, reply: Reply | bytes) -> None:
        """Reply; it goes out at the end of the turn."""
        if isinstance(reply, bytes):
            self._said.append(reply)
            return
        if reply.code >= 400:
            self._context.tally.refusals[reply.code, reply.status] += 1
        self._said.append(f"{reply}\r\n".encode("ascii", "replace"))

    def _part(self, reply: Reply) -> None:
        """Say good-bye: nothing is obeyed any more."""
        if reply.code == 421:
            usual = reply in {replies.SHUTTING_DOWN, replies.TIMED_OUT}
            tell = log.info if usual else log.warning
            tell("smtp_session_ended", peer=self._address, reply=str(reply))
        self._say(reply)
        self._parting = True

    def _flush(self) -> None:
        said = self._said
        if said and self.transport is not None:
            self._said = []
            self.transport.write(said[0] if len(said) == 1 else b"".join(said))

    def _await_sender(self) -> None:
        """From now on it is the sender's turn, and its time runs until what it has to do is done as a whole."""
        if not self._waits:
            self._waits = True
            ends_at = self._loop.time() + self._limits.command_timeout_s
            self._deadline.set(min(self._session_ends_at, ends_at))

    def _our_turn(self) -> None:
        """The sender has done what it had to."""
        self._waits = False
        self._deadline.lift()

    # --- the end -------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Send what is still to be said, then close.

        Closing with data unread would destroy the last replies on their way, so what still comes is
        dropped until the sender closes its side, for a moment and up to a bound.
        """
        if self.ended.done():
            return
        self.ended.set_result(None)
        self._parting = True
        self._deadline.cancel()
        if self.transport is None:
            return
        self._flush()
        try:
            lingers = self.transport.can_write_eof() and not self._eof
            if lingers:
                self._dropped = 0
                self.transport.write_eof()
                self._incoming.forget()
                if self._paused:
                    self.transport.resume_reading()
        except OSError:
            lingers = False  # the sender has reset the connection
        if not lingers:
            self.transport.close()
        self._deadline = Deadline(self._loop, self.drop)
        self._deadline.set(self._loop.time() + LINGER_S)

    def drop(self) -> None:
        """Close at once, whatever is on its way."""
        if self.transport is not None:
            self.transport.abort()
