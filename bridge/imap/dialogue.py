"""One connection to a mail server: commands and their answers, each within its time.

Whatever the server sends, no more of it is kept than `lines.py` allows, no answer is awaited longer than its deadline,
and a command gets no more responses than it can have a use for.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING

from bridge.errors import in_words
from bridge.imap import replies
from bridge.imap.errors import ImapLimitError, ImapLostError, ImapNoError, ImapSyntaxError
from bridge.imap.lines import Responses

if TYPE_CHECKING:
    from bridge.imap.lines import Response
    from bridge.imap.replies import ImapStatus

READ_BYTES = 64 * 1024
MOST_RESPONSES = 1_000
"""Responses to one command, beside those that were asked for."""
MOST_BYTES, MOST_BYTES_EACH = 2**20, 4096
"""Bytes of all responses to one command, and how many more for each response that was asked for."""
OPENING_S = 20.0


class Dialogue:
    """Commands and answers. Made by `open_dialogue`; everything raises ImapError, and then the connection is of no use.

    But for ImapNoError: the server did not want to, and the connection goes on.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, deadline_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._deadline_s = deadline_s
        self._responses = Responses()
        self._waiting: deque[Response] = deque()
        self._count = 0

    async def next(self, *, within_s: float | None = None) -> Response:
        """The next response."""
        try:
            async with asyncio.timeout(self._deadline_s if within_s is None else within_s):
                return await self.following()
        except TimeoutError as error:
            raise ImapLostError("the server did not answer in time") from error

    async def following(self) -> Response:
        """The next response, however long it takes; who gives up waiting loses nothing."""
        while not self._waiting:
            try:
                data = await self._reader.read(READ_BYTES)
            except (OSError, ssl.SSLError) as error:
                raise ImapLostError(in_words(error)) from error
            if not data:
                raise ImapLostError("the server ended the connection")
            self._waiting.extend(self._responses.feed(data))
        return self._waiting.popleft()

    async def send(self, line: str) -> None:
        """Send a line."""
        self._writer.write(line.encode() + b"\r\n")
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._writer.drain()
        except TimeoutError as error:
            raise ImapLostError("the server takes nothing") from error
        except (OSError, ssl.SSLError) as error:
            raise ImapLostError(in_words(error)) from error

    async def begin(self, command: str) -> str:
        """Send a command; its tag."""
        self._count += 1
        tag = f"p{self._count}"
        await self.send(f"{tag} {command}")
        return tag

    async def command(self, command: str, *, expected: int = 0, answers: list[str] | None = None) -> list[Response]:
        """Send a command and return its untagged responses, some of which may have nothing to do with it.

        `expected` is how many of them it asks for, `answers` what to say when the server wants more of it, in turn.
        """
        return (await self.finished(await self.begin(command), expected=expected, answers=answers))[0]

    async def finished(
        self, tag: str, *, expected: int = 0, answers: list[str] | None = None
    ) -> tuple[list[Response], ImapStatus]:
        """The untagged responses up to that with this tag, and how it went; raises ImapNoError when it did not go."""
        found: list[Response] = []
        left = MOST_BYTES + expected * MOST_BYTES_EACH
        while True:
            response = await self.next()
            left -= response.size
            if left < 0 or len(found) > expected + MOST_RESPONSES:
                raise ImapLimitError("the server sent more in answer to a command than anybody needs")
            said = replies.status(response)
            if said is not None and said.tag == tag:
                if said.condition != "OK":
                    raise ImapNoError(said.text or said.condition, code=said.code[0] if said.code else "")
                return found, said
            if said is not None and said.condition == "BYE":
                raise ImapLostError(f"the server ended the connection: {said.text}")
            if response.texts[0].startswith(b"+") and answers is not None:
                await self.send(answers.pop(0) if answers else "")
                continue
            if not response.texts[0].startswith(b"* "):
                raise ImapSyntaxError("the server sent an answer to what it was not asked")
            found.append(response)

    def close(self) -> None:
        """End the connection at once; what was sent may still arrive."""
        self._writer.transport.abort()


async def open_dialogue(
    host: str, port: int, *, tls: ssl.SSLContext | None, deadline_s: float
) -> tuple[Dialogue, ImapStatus]:
    """A connection whose server has greeted, and the greeting; raises ImapError."""
    try:
        async with asyncio.timeout(min(OPENING_S, deadline_s)):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=tls, server_hostname=host if tls else None, limit=READ_BYTES
            )
    except TimeoutError as error:
        raise ImapLostError(f"{host}:{port} did not answer in time") from error
    except (OSError, ssl.SSLError, UnicodeError) as error:
        number = error.errno if isinstance(error, ConnectionError) else None
        raise ImapLostError(f"{host}:{port}: {os.strerror(number) if number else in_words(error)}") from error
    _keep_alive(writer)
    dialogue = Dialogue(reader, writer, deadline_s=deadline_s)
    try:
        return dialogue, _greeting(await dialogue.next())
    except BaseException:
        dialogue.close()
        raise


def _greeting(response: Response) -> ImapStatus:
    greeting = replies.status(response)
    if greeting is None or greeting.tag != "*" or greeting.condition not in {"OK", "PREAUTH"}:
        said = "" if greeting is None else f": {greeting.text}"
        raise ImapLostError(f"the server greets us with a refusal{said}")
    return greeting


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Have the kernel notice within minutes that nobody is there any more, while nothing is said."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
