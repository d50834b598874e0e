"""Postfix' smtp-source as the sender, through a relay that marks each message and records each reply.

smtp-source neither says which of its messages were answered 250 nor goes on when a connection
breaks. The relay stands between it and the bridge: it hands each message over on a connection of its
own, passes the bridge's reply back word for word, and where there was none says 451, as an MTA would.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from tests.conftest import need
from tests.crash.messages import DOMAIN, Mail

if TYPE_CHECKING:
    from tests.crash.installation import Installation

SESSIONS = 20
TRIES = 100
"""How often the relay looks for a bridge that listens before it gives a message back."""
AGAIN_S = 0.1
PAUSE_S = 0.03
"""A little rest after each message, so that the mail outlasts a few of the faults."""
_NOT_TAKEN = b"451 4.4.1 the bridge did not answer\r\n"


class Relay:
    """One message a session in, one session a message out; the marker replaces the subject."""

    def __init__(self, installation: Installation, user: str) -> None:
        self._sender = installation.sender
        self._user = user
        self._numbers = itertools.count()
        self.accepted = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A session with smtp-source, which does not pipeline."""
        writer.write(b"220 relay\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                writer.write(await self._relay(await reader.readuntil(b"\r\n.\r\n")))
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
        writer.close()

    async def _relay(self, data: bytes) -> bytes:
        number = next(self._numbers)
        marker = f"m{number:05d}"
        head, _, body = data.removesuffix(b".\r\n").partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Subject:")]
        raw = b"\r\n".join([*lines, b"Subject: " + marker.encode(), b"", body])
        mail = Mail(marker, (self._user,), (f"{self._user}@{DOMAIN}",), raw, repeatable=True, lmtp=False)
        for attempt in range(1, TRIES + 1):
            code, whole = await self._sender.attempt(mail, attempt)
            if code or whole:
                break
            await asyncio.sleep(AGAIN_S)
        await asyncio.sleep(PAUSE_S)
        self.accepted += code == 250
        return f"{code} passed on\r\n".encode() if code else _NOT_TAKEN


async def feed(installation: Installation) -> None:
    """Send the schedule's number of messages to the first user with smtp-source -s 20."""
    user = installation.site.users[0]
    relay = Relay(installation, user)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        options = ("-A", "-s", str(SESSIONS), "-m", str(installation.schedule.messages), "-l", "1000")
        process = await asyncio.create_subprocess_exec(
            need("smtp-source"), *options, "-S", "marked", "-t", f"{user}@{DOMAIN}", f"127.0.0.1:{port}", stderr=-3
        )
        try:
            if await process.wait() != 0:
                raise AssertionError("smtp-source gave up")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
