"""A session without a connection, for the same transcripts as over a socket: bytes in, replies out, all in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import SmtpError
from bridge.ingress.limits import SessionLimits
from bridge.ingress.reading import LineTooLongError, Unread
from bridge.ingress.receipt import Receipt
from bridge.ingress.session import (
    LONGEST_LINE,
    Dialect,
    MailSession,
    Next,
    SessionAnswer,
    SessionTerms,
    answers_due,
    command,
    delivered,
    overlong,
)
from bridge.model import Envelope
from tests.support.ingress import HOST, Recorder

if TYPE_CHECKING:
    from bridge.spool import Spool

MAX_SIZE = 50 * 2**20


class MemoryWire:
    """A mail sender's end of a session that nothing lies between: `send`, `line` and `reply` as of `Wire`."""

    def __init__(self, dialect: Dialect, intake: Recorder, spool: Spool) -> None:
        self.session = MailSession(
            dialect,
            SessionTerms(hostname=HOST, max_size=MAX_SIZE, limits=SessionLimits(), known=intake.known),
            trusted=True,
        )
        self._intake = intake
        self._spool = spool
        self._incoming = Unread()
        self._receipt: Receipt | None = None
        self._ended = False
        self._replies = f"220 {HOST} {dialect.name} Postbell\r\n".encode()

    async def send(self, data: bytes) -> None:
        """Say something, and have it answered at once."""
        self._incoming.add(data)
        while not self._ended and await self._step():
            pass

    async def line(self) -> str:
        """The next line without its end, "<EOF>" when the session is over."""
        line, end, self._replies = self._replies.partition(b"\r\n")
        assert end or self._ended, "there is no reply"
        return line.decode("ascii") if end else "<EOF>"

    async def reply(self) -> str:
        """The last line of the next reply."""
        while (line := await self.line())[3:4] == "-":
            pass
        return line

    async def _step(self) -> bool:
        if self._receipt is not None:
            return await self._take_data(self._receipt)
        try:
            line = self._incoming.line(LONGEST_LINE)
            if line is None:
                return False
            self._say(command(self.session, line))
        except LineTooLongError:
            self._say(overlong(self.session))
        except RuntimeError:  # the defects that the recorder has
            self._say(SessionAnswer((SmtpError.reply,)))
        return True

    def _say(self, answer: SessionAnswer) -> None:
        for reply in answer.replies:
            self._replies += reply if isinstance(reply, bytes) else f"{reply}\r\n".encode("ascii")
        self._ended = answer.then is Next.CLOSE
        if answer.then is Next.DATA:
            mail, self.session.mail = self.session.mail, None
            assert mail is not None
            bare = self.session.line_ends.bare
            self._receipt = Receipt(mail, self._spool.begin(), bare=bare, max_size=MAX_SIZE)

    async def _take_data(self, receipt: Receipt) -> bool:
        if not self._incoming:
            return False
        receipt.feed(self._incoming.take())
        await receipt.write()
        if receipt.rest is None:
            return False
        self._incoming.unread(receipt.rest)
        self._receipt = None
        mail, body = receipt.mail, await receipt.finish()
        unique = tuple(dict.fromkeys(mail.recipients))
        envelope = Envelope(mail.sender, unique, body, self.session.spoken, "")
        try:
            answers = dict(zip(unique, await self._intake.accept(envelope), strict=True))
        except RuntimeError:  # the defects that the recorder has
            self._say(SessionAnswer((SmtpError.reply,) * answers_due(self.session, mail)))
        else:
            self._say(delivered(self.session, [answers[recipient] for recipient in mail.recipients]))
        return True
