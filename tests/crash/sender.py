"""A mail server's outgoing half: hands messages over, tries again, and records every reply."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tests.crash.history import Answered, Broken, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.crash.history import History
    from tests.crash.messages import Mail

REPLY_S = 20.0
AGAIN_S = 0.1


class Sender:
    """Sends over `sessions` connections at once. `listener("smtp")` says where the bridge is now."""

    def __init__(
        self, *, listener: Callable[[str], tuple[str, int] | None], history: History, sessions: int, pause: float
    ) -> None:
        self._listener = listener
        self._history = history
        self._sessions = sessions
        self._pause = pause
        self.left = 0

    async def send(self, mails: Iterable[Mail]) -> None:
        """Hand over all of them, each until it is answered; one without Message-ID is tried once."""
        queue: asyncio.Queue[Mail] = asyncio.Queue()
        for mail in mails:
            queue.put_nowait(mail)
        self.left = queue.qsize()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._sessions):
                group.create_task(self._work(queue))

    async def _work(self, queue: asyncio.Queue[Mail]) -> None:
        while not queue.empty():
            mail = queue.get_nowait()
            attempt = 0
            while True:
                attempt += 1
                code, whole = await self.attempt(mail, attempt)
                if code // 100 == 2 or (whole and not code and not mail.repeatable):
                    break
                await asyncio.sleep(AGAIN_S)
            self.left -= 1
            await asyncio.sleep(self._pause)

    async def attempt(self, mail: Mail, attempt: int) -> tuple[int, bool]:
        """Hand it over once. The code (0: none came), and whether all of it had gone out."""
        at = self._listener("lmtp" if mail.lmtp else "smtp")
        if at is None:
            return 0, False
        dialogue = Dialogue(mail)
        self._history.add(Sent(mail.marker, mail.users, attempt))
        try:
            async with asyncio.timeout(REPLY_S):
                code, text = await dialogue.hold(*at)
        except (OSError, EOFError, ValueError, TimeoutError):
            self._history.add(Broken(mail.marker, attempt, dialogue.whole))
            return 0, dialogue.whole
        self._history.add(Answered(mail.marker, attempt, code, text))
        return code, dialogue.whole


class Dialogue:
    """One SMTP or LMTP session for one message. `whole` turns true before the final dot goes out."""

    def __init__(self, mail: Mail) -> None:
        self.whole = False
        self._mail = mail

    async def hold(self, host: str, port: int) -> tuple[int, str]:
        """The reply after the data, with LMTP the worst of them; raises OSError or EOFError when cut."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            return await self._talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, str]:
        mail = self._mail
        await _reply(reader)
        recipients = [f"RCPT TO:<{address}>" for address in mail.recipients]
        for line in ("LHLO checker" if mail.lmtp else "EHLO checker", "MAIL FROM:<s@example.net>", *recipients, "DATA"):
            writer.write(f"{line}\r\n".encode())
            code, text = await _reply(reader)
            if code // 100 not in {2, 3}:
                return code, text
        writer.write(mail.raw)
        await writer.drain()
        self.whole = True
        writer.write(b".\r\n")
        answers = [await _reply(reader) for _ in range(len(mail.recipients) if mail.lmtp else 1)]
        return max(answers)


async def _reply(reader: asyncio.StreamReader) -> tuple[int, str]:
    while True:
        line = await reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        if line[3:4] != b"-":
            return int(line[:3]), line[4:].decode("ascii", "replace").strip()
