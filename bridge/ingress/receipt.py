"""A mail whose data is coming in: decoded, counted, and appended to the spool, at once where memory has room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bridge.errors import SmtpError, TooLargeError
from bridge.ingress.reading import DataDecoder

if TYPE_CHECKING:
    from bridge.ingress.interfaces import ArrivingMessage
    from bridge.ingress.session import MailTransaction
    from bridge.model import Body
    from bridge.reply import Reply
    from bridge.tally import Tally

BLOCK_BYTES = 64 * 1024
"""So much is read at once; a message that is longer waits its turn in the queue of the large ones."""

log = structlog.get_logger()


class Receipt:
    """The data of one mail. With the first problem nothing of it is left, and the rest is read and dropped.

    `rest` is what followed the end of data, None before the end. A problem is told only there.
    """

    def __init__(self, mail: MailTransaction, message: ArrivingMessage, *, bare: bool, max_size: int) -> None:
        self.mail = mail
        self.rest: bytes | None = None
        self._message = message
        self._decoder = DataDecoder(bare=bare)
        self._max_size = max_size
        self._problem: SmtpError | None = None
        self._unwritten = b""

    @property
    def large(self) -> bool:
        """Whether its next block waits its turn."""
        return self._problem is None and self._message.size >= BLOCK_BYTES

    @property
    def waits_for_disk(self) -> bool:
        """Whether `write` has something to do, or `finish` will have."""
        return bool(self._unwritten) or (self._problem is None and self._message.in_file)

    def feed(self, block: bytes) -> None:
        """Take what came. What memory has no room for is left to `write`, before more is fed."""
        content, self.rest = self._decoder.feed(block)
        if self._problem is not None:
            return
        if self._message.size + len(content) > self._max_size:
            self._fail(TooLargeError())
        elif not self._message.take(content):
            self._unwritten = content

    async def write(self) -> None:
        """Append what memory had no room for."""
        content, self._unwritten = self._unwritten, b""
        if not content:
            return
        try:
            await self._message.write(content)
        except SmtpError as error:
            self._fail(error)

    def complete(self) -> Body:
        """The whole message, which is in memory; raises SmtpError with the problem there was."""
        if self._problem is not None:
            raise self._problem
        return self._message.whole()

    async def finish(self) -> Body:
        """The whole message, on stable storage if it is in a file; raises SmtpError with the problem there was."""
        if self._problem is not None:
            raise self._problem
        return await self._message.finish()

    def discard(self) -> None:
        """Forget it, finished or not; more than once is no harm."""
        self._message.discard()

    def refused(self, error: SmtpError, *, tally: Tally, peer: str) -> list[Reply]:
        """An answer for each recipient of what was not received as it should be, and which is discarded."""
        self.discard()
        reply = error.reply
        tally.messages_refused[reply.code, reply.status] += 1
        reason = str(error) or reply.text
        log.warning("message_refused", code=reply.code, status=reply.status, reason=reason, peer=peer)
        return [reply] * len(self.mail.recipients)

    def _fail(self, problem: SmtpError) -> None:
        self._problem = problem
        self.discard()
