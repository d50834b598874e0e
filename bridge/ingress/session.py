"""The course of a conversation: greeting, commands, replies, limits. The verbs are elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from bridge.errors import SmtpError
from bridge.ingress import replies
from bridge.ingress.connection import SmtpConnection
from bridge.ingress.line_ends import LineEnds
from bridge.ingress.reading import LineTooLongError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.ingress.context import IngressContext
    from bridge.model import Reply

    Verb = Callable[[Any, str], Awaitable[None]]

LONGEST_LINE = 12_288
"""Bytes of a command line: what AUTH needs (RFC 4954 §4); the other commands need far less."""

REPLIES_IN_HAND = 64
TURN_COMMANDS = 8

log = structlog.get_logger()


class Conversation(SmtpConnection):
    """The part of a conversation that SMTP and LMTP have in common, whatever the commands.

    A method `do_mail` of an heir is the command MAIL, unless `absent` has it. Replies are gathered
    while commands are pipelined (RFC 2920 §3.2), and a sender that floods gives way to the others
    every few commands. From a trusted network an `indulgent` conversation takes what devices do that cannot be mended
    (docs/decisions/0029).
    """

    protocol: ClassVar[str] = "ESMTP"
    listener: str = "smtp"
    absent: ClassVar[frozenset[str]] = frozenset()
    indulgent: ClassVar[bool] = True
    verbs: ClassVar[Mapping[str, Verb]] = {}

    def __init_subclass__(cls) -> None:
        """Look the commands up once, not for every connection."""
        super().__init_subclass__()
        named = {name[3:].upper(): getattr(cls, name) for name in dir(cls) if name.startswith("do_")}
        cls.verbs = {word: verb for word, verb in named.items() if word not in cls.absent}

    def __init__(self, context: IngressContext) -> None:
        super().__init__(context)
        self._trusted = False
        self._line_ends = LineEnds()
        self._owed = 1
        self._listening = False
        self._retiring = False
        self._commands = 0
        self._errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or refuse it; from here on the ingress knows of the conversation."""
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._context.sessions.add(self)
            self._context.tally.begin(self.listener)

    def connection_lost(self, error: Exception | None) -> None:
        """End the conversation, except for a delivery that is going on: that runs to its end."""
        super().connection_lost(error)
        if self._handler_coroutine is not None:
            self._context.tally.end(self.listener)
        if self._handler_coroutine is None or self._handler_coroutine.done():
            self._context.sessions.discard(self)
        else:
            self._handler_coroutine.add_done_callback(lambda _: self._context.sessions.discard(self))

    @property
    def busy(self) -> bool:
        """Whether ending the session now would break off a mail."""
        return False

    @property
    def indulged(self) -> bool:
        """Whether this sender is taken as a device that cannot be mended."""
        return self.indulgent and self._trusted

    def retire(self) -> None:
        """End the session as soon as no mail is under way, at once if it is idle."""
        self._retiring = True
        if self._listening and not self.busy:
            self.stop()

    def refuse(self, reply: Reply) -> None:
        """Reply that the command failed; after too many the next one is answered with good-bye."""
        self.say(reply)
        self._errors += 1

    def made_progress(self) -> None:
        """Count commands, errors and time anew, as after every message accepted."""
        self._commands = 0
        self._errors = 0
        self._session_ends_at = self.loop.time() + self._limits.session_timeout_s

    async def _handle_client(self) -> None:
        try:
            if await self._begin():
                self._said.append(f"220 {self._context.hostname} {self.protocol} Postbell\r\n".encode())
                await self._converse()
        except (EOFError, ConnectionError):
            log.debug("smtp_peer_gone", peer=self._address)
        except asyncio.CancelledError:
            if not self._ended:
                raise
        finally:
            self._end()

    async def _begin(self) -> bool:
        """Whatever comes before the greeting; false when nothing should follow."""
        if self._context.trust.is_proxy(self._address) and not await self._read_proxy_header():
            return False
        self._trusted = self._context.trust.admits(self._address)
        if not self._trusted and not self._may_log_in():
            log.warning("smtp_peer_not_allowed", peer=self._address)
            self.farewell(replies.NOT_ALLOWED)
            return False
        return True

    def _may_log_in(self) -> bool:
        return False

    async def _converse(self) -> None:
        while not self._ended:
            try:
                line = await self._next_line()
                self._owed = 1
                await self._run_command(line)
            except LineTooLongError:
                self.refuse(replies.LINE_TOO_LONG)
            except SmtpError as error:
                self.refuse(error.reply)
            except (EOFError, ConnectionError):
                raise
            except Exception:  # the session's edge: whatever is wrong with us, the sender is to try again
                self._reply_to_error()  # first of all: it is owed even where the log is what fails
                log.exception("smtp_command_failed", peer=self._address)
            if self._retiring and not self.busy and not self._ended:
                self.farewell(replies.SHUTTING_DOWN)

    def _reply_to_error(self) -> None:
        """Answer for a defect of ours: every reply that is owed, or good-bye in the middle of data."""
        for _ in range(self._owed):
            self.say(SmtpError.reply)
        if not self._owed:
            self.farewell(replies.LOCAL_ERROR)

    async def _next_line(self) -> bytes:
        if not self._reader.has_line or len(self._said) >= REPLIES_IN_HAND:
            self._await_sender()
            await self._flush()
        elif self._commands % TURN_COMMANDS == 0:
            await asyncio.sleep(0)
        self._listening = True
        try:
            return await self._reader.line(LONGEST_LINE)
        except LineTooLongError:
            self._line_ends.overlong()
            raise
        finally:
            self._listening = False
            self._deadline.lift()

    async def _run_command(self, line: bytes) -> None:
        self._commands += 1
        if self._errors >= self._limits.errors:
            self.farewell(replies.TOO_MANY_ERRORS)
            return
        if self._commands > self._limits.commands:
            self.farewell(replies.TOO_MANY_COMMANDS)
            return
        command = self._line_ends.cut(line, indulged=self.indulged)
        if command is None:
            self.refuse(replies.BARE_LF)
            return
        try:
            word, _, argument = command.decode().partition(" ")
        except UnicodeDecodeError:
            if not self.indulged:
                self.refuse(replies.BAD_SYNTAX)
                return
            word, _, argument = command.decode(errors="replace").partition(" ")
        verb = self.verbs.get(word.upper())
        if verb is None:
            self.refuse(replies.UNKNOWN_COMMAND if word else replies.BAD_SYNTAX)
            return
        await verb(self, argument.strip())
