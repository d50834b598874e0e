"""What a session reads: command lines and mail data, in bulk and in bounded memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BUFFER_BYTES = 64 * 1024
"""Reading from the network pauses when twice as much waits unread."""


class DataDecoder:
    """Finds the end of mail data and takes out the transparency dots (RFC 5321 §4.5.2).

    Only CR LF . CR LF ends the data: a bare LF or CR is content, whatever stands around it
    (RFC 5321 §2.3.8, CVE-2023-51764). With `bare` a line ends in LF, and a CR before it is no harm (`line_ends.py` says
    when). Works on blocks of any length and at any boundary.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self._break = b"\n" if bare else b"\r\n"
        self._ends = (b"\n.\n", b"\n.\r\n") if bare else (b"\r\n.\r\n",)
        self._tail = self._break  # the end of the DATA command's own line begins the first line of content
        self._started = False

    def feed(self, block: bytes) -> tuple[bytes, bytes | None]:
        """The content that is certain now, and what follows the end of data, or None before the end."""
        data = self._tail + block
        rest = None
        found = [(at, end) for end in self._ends if (at := data.find(end)) >= 0]
        if found:
            at, end = min(found)
            data, rest = data[: at + len(self._break)], data[at + len(end) :]
        else:
            tail = max(_trailing_part(data, end) for end in self._ends)
            data, self._tail = data[: len(data) - tail], data[len(data) - tail :]
        content = data.replace(self._break + b".", self._break)
        if content and not self._started:
            self._started = True
            content = content[len(self._break) :]
        return content, rest


def _trailing_part(data: bytes, end: bytes) -> int:
    """How many of the last bytes may be the beginning of this end of data."""
    for length in range(len(end) - 1, 0, -1):
        if data.endswith(end[:length]):
            return length
    return 0


class LineTooLongError(Exception):
    """A command line was longer than allowed; it has been read up to its end and dropped."""


class MailReader(asyncio.StreamReader):
    """A stream reader that hands out what it has in one piece and takes back what was too much."""

    _buffer: bytearray
    _eof: bool
    _maybe_resume_transport: Callable[[], None]
    _transport: asyncio.Transport | None

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=BUFFER_BYTES, loop=loop)

    @property
    def has_line(self) -> bool:
        """Whether a command line can be read without waiting for the client."""
        return b"\n" in self._buffer

    @property
    def ended(self) -> bool:
        """Whether the sender has closed its side."""
        return self._eof

    async def line(self, longest: int) -> bytes:
        """The next line with its end; raises LineTooLongError, IncompleteReadError at the end."""
        overlong = False
        while True:
            try:
                line = await self.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                await self.readexactly(error.consumed)
                overlong = True
                continue
            if overlong or len(line) > longest:
                raise LineTooLongError
            return line

    async def block(self, longest: int = 4 * BUFFER_BYTES) -> bytes:
        """What has arrived, one byte to `longest`; raises IncompleteReadError at the end."""
        data = await self.read(longest)
        if not data:
            raise asyncio.IncompleteReadError(b"", None)
        return data

    def unread(self, data: bytes) -> None:
        """Put back what was read too much; it is what will be read next."""
        self._buffer[:0] = data

    def forget(self) -> None:
        """Drop what has arrived unread, as STARTTLS demands (RFC 3207 §4.2), and go on listening."""
        self._buffer.clear()
        self._maybe_resume_transport()

    def take(self) -> bytes:
        """What has arrived unread, which is somebody else's to read."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def attach(self, transport: asyncio.Transport) -> None:
        """Pause and resume this transport from now on."""
        self._transport = transport
