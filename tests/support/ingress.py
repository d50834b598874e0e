"""A running ingress for tests: a recording intake behind it, and clients in front that hide nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from bridge.config.endpoints import TcpAddress, UnixAddress
from bridge.errors import MalformedAddressError, StoreFullError, StoreUnavailableError, UnknownUserError
from bridge.ingress import Ingress, IngressSettings, SessionLimits
from bridge.model import Envelope, Recipient
from bridge.reply import Reply
from bridge.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

KEPT = Reply(250, "2.0.0", "Kept")
OVER_QUOTA = Reply(552, "5.2.2", "Over quota")
HOST = "mx.example"
ANY_PORT = TcpAddress("127.0.0.1", 0)


@dataclass
class Recorder:
    """An intake that remembers what it accepted. The local part says what becomes of a mail.

    `full` and `broken` get a temporary failure, `quota` a permanent one, `defect` a defect; everybody
    at example.org else, and postmaster, gets their mail; others are unknown.
    """

    accepted: list[Envelope] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    spool: Spool | None = None

    def known(self, address: str) -> Recipient | None:
        """Only those who have to be looked up are not known at once."""
        return None if address.startswith("lookup") else self._whose(address)

    async def resolve(self, address: str) -> Recipient:
        return self._whose(address.removeprefix("lookup-"))

    def _whose(self, address: str) -> Recipient:
        local, _, domain = address.rpartition("@")
        if address.lower() == "postmaster":
            return Recipient(address, 1, "alice")
        if not local:
            raise MalformedAddressError(address)
        if local == "crash":
            raise RuntimeError("a defect in the directory")
        if local.startswith("nobody") or domain.lower() not in {"example.org", "[127.0.0.1]"}:
            raise UnknownUserError(address)
        return Recipient(address, 1, local)

    async def accept(self, envelope: Envelope) -> tuple[Reply, ...]:
        self.asked.set()
        if self.hold is not None:
            await self.hold.wait()
        replies = tuple(self._reply(recipient.user) for recipient in envelope.recipients)
        if any(reply.accepted for reply in replies):
            self.accepted.append(envelope)
            self.contents.append(await self._content(envelope))
            self.arrived.set()
        return replies

    async def _content(self, envelope: Envelope) -> bytes:
        """The whole message, wherever it is."""
        name = envelope.body.spooled
        if name is None:
            return envelope.body.head
        raw = await self.spool.read(name)
        assert raw is not None
        return raw

    def _reply(self, user: str) -> Reply:
        if user == "defect":
            raise RuntimeError("a defect in the store")
        return {
            "quota": OVER_QUOTA,
            "full": StoreFullError.reply,
            "broken": StoreUnavailableError.reply,
        }.get(user, KEPT)


@dataclass
class Running:
    """An ingress that listens."""

    ingress: Ingress
    intake: Recorder
    spool: Spool
    beside: Ingress | None = None
    """The one to which connections are passed on."""

    async def dial(self, listener: str = "smtp", *, ssl: Any = None) -> Wire:
        """A fresh connection, nothing read yet."""
        address = self.ingress.addresses[listener]
        if address.startswith("unix:"):
            return Wire(*await asyncio.open_unix_connection(address.removeprefix("unix:")))
        host, _, port = address.rpartition(":")
        return Wire(*await asyncio.open_connection(host.strip("[]"), int(port), ssl=ssl))

    async def connections(self, count: int) -> None:
        """Wait until exactly so many connections are open."""
        async with asyncio.timeout(30):
            while self.ingress.connections != count:  # noqa: ASYNC110 - the gate counts and calls nobody
                await asyncio.sleep(0.005)


class Wire:
    """A mail sender's end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> str:
        """The next line without its end, "<EOF>" when there is none."""
        async with asyncio.timeout(30):
            line = await self.reader.readline()
        if not line:
            return "<EOF>"
        assert line.endswith(b"\r\n"), line
        return line[:-2].decode("ascii")

    async def reply(self) -> str:
        """The last line of the next reply."""
        while True:
            line = await self.line()
            if line[3:4] != "-":
                return line

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, command: str) -> str:
        """The last line of the reply to a command."""
        await self.send(command.encode() + b"\r\n")
        return await self.reply()

    async def greet(self, greeting: str = "EHLO client.example") -> Wire:
        assert (await self.reply()).startswith("220 ")
        assert (await self.ask(greeting)).startswith("250 ")
        return self

    async def mail(self, data: bytes, *to: str, sender: str = "sender@example.net") -> str:
        """The reply to a whole mail; `data` is sent as it is, followed by the end of data."""
        assert (await self.ask(f"MAIL FROM:<{sender}>")).startswith("250 2.1.0 ")
        for recipient in to or ("alice@example.org",):
            assert (await self.ask(f"RCPT TO:<{recipient}>")).startswith("250 2.1.5 ")
        assert (await self.ask("DATA")).startswith("354 ")
        await self.send(data + b".\r\n")
        return await self.reply()

    async def reset(self) -> None:
        """Break the connection off, as a crash of the sender would (RST)."""
        handle = self.writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


passing_on: ContextVar[bool] = ContextVar("passing_on", default=False)
"""Whether connections are passed on, as to a worker."""


class Beside:
    """Another ingress, which converses with whoever is passed on to it; it has nothing but the descriptor."""

    def __init__(self, intake: Any, spool: Spool, settings: IngressSettings, check_login: Any) -> None:
        wanted = replace(settings, smtp_listen=None, smtps_listen=None, lmtp_listen=None)
        self.ingress = Ingress(intake=intake, spool=spool, settings=wanted, check_login=check_login)
        self.gone: Callable[[str], None] = lambda _: None
        self.tasks: set[asyncio.Task[None]] = set()

    def take(self, descriptor: int, listener: str, address: str) -> bool:
        accepted = socket.socket(fileno=os.dup(descriptor))
        work = self.ingress.converse(listener, accepted, left=lambda: self.gone(address))
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return True

    async def end(self, *, grace_s: float) -> None:
        await self.ingress.close(grace_s=grace_s)


@contextlib.asynccontextmanager
async def listening(
    directory: Path, *, check_login: Any = None, intake: Any = None, **settings: Any
) -> AsyncIterator[Running]:
    """An ingress with SMTP on a free port and LMTP on a UNIX socket, unless `settings` say else."""
    chosen = {
        "hostname": HOST,
        "smtp_listen": ANY_PORT,
        "lmtp_listen": UnixAddress(directory / "lmtp"),
        "limits": SessionLimits(),
        **settings,
    }
    spool = Spool(directory / "spool")
    intake = intake or Recorder(spool=spool)
    given = IngressSettings(**chosen)
    beside = Beside(intake, spool, given, check_login) if passing_on.get() else None
    ingress = Ingress(intake=intake, spool=spool, settings=given, check_login=check_login, elsewhere=beside)
    if beside is not None:
        beside.gone = ingress.gone
    await ingress.start()
    try:
        yield Running(ingress, intake, spool, None if beside is None else beside.ingress)
    finally:
        await ingress.close(grace_s=1)
        spool.close()


def told(
    directory: Path,
    story: Callable[[Running], Awaitable[None]],
    *,
    check_login: Any = None,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    **settings: Any,
) -> None:
    """Run a story against an ingress of its own, on a loop of this kind."""

    async def run() -> None:
        async with listening(directory, check_login=check_login, **settings) as running:
            await story(running)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


async def play(script: str, running: Running, wire: Wire) -> None:
    r"""Play a transcript and check every line that it expects.

    `C: text` sends a line, `C~ text` sends bytes with Python escapes (`\r\n`) and nothing else,
    `S: pattern` expects a line (`*` and `?` match), `S: ...` the rest of a reply of many lines,
    `S: <EOF>` the end. `K: <sender> -> a, b: 'content'` expects the next mail that was kept, and
    `K: nothing` that there is none. Lines with `#` and empty ones say something to the reader.
    """
    kept = 0
    for number, text in enumerate(script.splitlines(), 1):
        mark, _, rest = text.partition(" ")
        if mark == "C:":
            await wire.send(rest.encode() + b"\r\n")
        elif mark == "C~":
            await wire.send(rest.encode().decode("unicode_escape").encode("latin-1"))
        elif mark == "S:" and rest == "...":
            await wire.reply()
        elif mark == "S:":
            line = await wire.line()
            assert fnmatchcase(line, rest), f"line {number}: expected {rest!r}, got {line!r}"
        elif mark == "K:":
            assert told_of(running.intake, kept) == rest, f"line {number}"
            kept += 1
        else:
            assert not text or text.startswith("#"), f"line {number}: {text!r}"


def told_of(intake: Recorder, index: int) -> str:
    if index >= len(intake.accepted):
        return "nothing"
    envelope = intake.accepted[index]
    recipients = ", ".join(recipient.address for recipient in envelope.recipients)
    text = intake.contents[index].decode("latin-1").encode("unicode_escape").decode()
    return f"<{envelope.sender}> -> {recipients}: '{text}'"
