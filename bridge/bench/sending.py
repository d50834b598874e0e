"""A mail server that hands in mails as fast as they are taken, or at a pace, and notes when."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

PATIENCE_S = 60.0
"""How long an answer may take."""
_LINE = b"Nothing in this line matters but that it is there, as long as those of most mail.\r\n"


class NotTakenError(PostbellError):
    """The listener did not take a mail, or said nothing for too long."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One mail: the id in its 250, and when its last byte went out and that answer came, in seconds of one clock."""

    mail_id: str
    sent_at: float
    answered_at: float


def letters(count: int, octets: int, *, to: str, run: str) -> Iterator[bytes]:
    """So many mails of about so many bytes, with dots doubled (RFC 5321 §4.5.2); `run` keeps them from being copies."""
    for number in range(count):
        head = (
            f"From: Bench <bench@localhost>\r\nTo: {to}\r\nSubject: Mail {number} of a benchmark\r\n"
            f"Message-ID: <{run}.{number}@localhost>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n"
        ).encode()
        yield head + _LINE * max(1, (octets - len(head)) // len(_LINE))


class Sender:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def deliver(self, letter: bytes, to: str) -> Sent:
        """Hand in one mail; raises NotTakenError."""
        self._writer.write(f"MAIL FROM:<bench@localhost>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
        for expected in (b"250", b"250", b"354"):
            await self._answer(expected)
        self._writer.write(letter + b".\r\n")
        sent_at = time.perf_counter()
        await self._writer.drain()
        answer = await self._answer(b"250")
        return Sent(answer.split()[2].decode(), sent_at, time.perf_counter())

    async def greet(self) -> None:
        """Say who it is; raises NotTakenError."""
        await self._answer(b"220")
        self._writer.write(b"EHLO bench.localhost\r\n")
        await self._answer(b"250")

    def close(self) -> None:
        """Say goodbye, and wait for nothing."""
        self._writer.write(b"QUIT\r\n")
        self._writer.close()

    async def _answer(self, expected: bytes) -> bytes:
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    line = await self._reader.readline()
            except TimeoutError as error:
                raise NotTakenError(f"the listener answered nothing for {PATIENCE_S:.0f} s") from error
            if not line.startswith(expected):
                raise NotTakenError(f"the listener answered {line.decode(errors='replace').strip() or 'nothing'!r}")
            if line[3:4] != b"-":
                return line


@asynccontextmanager
async def senders(address: tuple[str, int], count: int) -> AsyncIterator[list[Sender]]:
    """So many connections, greeted; raises NotTakenError, also for a connection that cannot be made."""
    connected: list[Sender] = []
    try:
        try:
            for _ in range(count):
                connected.append(Sender(*await asyncio.open_connection(*address)))
                await connected[-1].greet()
        except OSError as error:
            raise NotTakenError(f"{address[0]}:{address[1]}: {error.strerror or error}") from error
        yield connected
    finally:
        for each in connected:
            each.close()


async def flood(lines: list[Sender], letters: Iterable[bytes], to: str, told: Callable[[], None]) -> list[Sent]:
    """Hand in all, each connection as fast as it is answered; `told` is called after each. Raises NotTakenError."""
    waiting = iter(letters)
    done: list[Sent] = []

    async def work(line: Sender) -> None:
        for letter in waiting:
            done.append(await line.deliver(letter, to))
            told()

    await _all(work(line) for line in lines)
    return done


async def pace(
    lines: list[Sender], letters: Iterable[bytes], to: str, told: Callable[[], None], *, mails_a_second: float
) -> list[Sent]:
    """Hand in one at each tick, whether those before it are answered or not, as far as connections are free."""
    begun = time.perf_counter()
    done: list[Sent] = []
    waiting = iter(enumerate(letters))

    async def work(line: Sender) -> None:
        for number, letter in waiting:
            await asyncio.sleep(begun + number / mails_a_second - time.perf_counter())
            done.append(await line.deliver(letter, to))
            told()

    await _all(work(line) for line in lines)
    return done


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise NotTakenError(f"a connection was lost: {error}") from error
    finally:
        for task in tasks:
            task.cancel()
