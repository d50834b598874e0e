"""Real mail servers in private directories on loopback, and the trial that each has to stand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bridge.directory import Directory, User
from bridge.ingress import SocketFile
from bridge.setup.recipe import Recipe, Site
from tests.machine import run, unfit
from tests.mailsink import Running, sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

USERS = Directory.of([User(1, "alice"), User(2, "bob")], [("alice@example.org", 1), ("bob@example.org", 2)])
SITE_ADDRESSES = ("alice@example.org", "bob@example.org", "nobody@example.org")
MAIL = b"From: Carol <carol@example.net>\nTo: alice@example.org\nSubject: %s\n\nHello\n"
PATIENCE = 60


class MailServer(Protocol):
    """A mail server that was set up by its recipe."""

    def inject(self, mail: bytes, *to: str) -> None:
        """Hand it a mail with its own sendmail; the sender is bob@example.org."""

    def queued(self) -> bool:
        """Whether mail waits in its queue."""

    def flush(self) -> None:
        """Have it try the queue again now."""


@dataclass(frozen=True)
class Place:
    """A directory that other users may enter, and Postbell's listeners in it."""

    directory: Path
    smtp_port: int
    lmtp_port: int

    @property
    def socket(self) -> str:
        return f"unix:{self.directory}/lmtp"

    @contextlib.asynccontextmanager
    async def postbell(self, *, over_tcp: bool = False) -> AsyncIterator[Running]:
        """Postbell, listening where it listened before."""
        async with sink(
            self.directory,
            smtp_listen=f"127.0.0.1:{self.smtp_port}",
            lmtp_listen=f"127.0.0.1:{self.lmtp_port}" if over_tcp else self.socket,
            socket_file=SocketFile(0o666),
        ) as running:
            running.intake.resolve = USERS.resolve
            yield running


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A fresh place, removed afterwards; only root can run mail servers."""
    if os.geteuid() != 0:
        unfit("needs root to start a mail server")
    directory = Path(tempfile.mkdtemp(prefix="postbell-mta-"))
    directory.chmod(0o755)
    try:
        yield Place(directory, *free_ports(2))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    import socket

    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [opened.getsockname()[1] for opened in sockets]


def follow(recipe: Recipe) -> None:
    """Do what a recipe says: write its files, run its commands."""
    for file in recipe.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_text(file.text, encoding="ascii")
    for command in (*recipe.commands, recipe.reload):
        run("sh", "-c", command)


async def trial(server: MailServer, place: Place, *, over_tcp: bool = False, detail: str = "work") -> None:
    """Mail arrives; what is sent while Postbell is down waits and arrives; one bad of three harms nobody.

    `detail` is what is left of `alice+work@…` on the way.
    """

    async def subjects(running: Running, count: int) -> list[tuple[str, str, str]]:
        async with asyncio.timeout(PATIENCE):
            while len(arrived := told(running)) < count:
                running.intake.arrived.clear()
                await running.intake.arrived.wait()
        return sorted(arrived)

    async with place.postbell(over_tcp=over_tcp) as running:
        await asyncio.to_thread(server.inject, MAIL % b"first", "alice+work@example.org", "carol@example.org")
        assert await subjects(running, 1) == [("alice", detail, "first")]

    await asyncio.to_thread(server.inject, MAIL % b"second", "alice@example.org")
    await until(server.queued)

    async with place.postbell(over_tcp=over_tcp) as running:
        async with flushing(server):
            assert await subjects(running, 1) == [("alice", "", "second")]

        three = ("alice@example.org", "nobody@example.org", "bob@example.org")
        await asyncio.to_thread(server.inject, MAIL % b"third", *three)
        await asyncio.to_thread(server.inject, MAIL % b"last", "bob@example.org")
        due = [("alice", "", "second"), ("alice", "", "third"), ("bob", "", "last"), ("bob", "", "third")]
        assert await subjects(running, 4) == due
        await until(lambda: not server.queued())
        assert sorted(told(running)) == due, "a bounce came back, or a mail came twice"


@contextlib.asynccontextmanager
async def flushing(server: MailServer) -> AsyncIterator[None]:
    """Have the server try its queue each second: it may just have begun a pause."""

    async def flush() -> None:
        while True:
            await asyncio.to_thread(server.flush)
            await asyncio.sleep(1)

    task = asyncio.create_task(flush())
    try:
        yield
    finally:
        task.cancel()


def told(running: Running) -> list[tuple[str, str, str]]:
    """User, detail and subject of all mail that arrived."""
    return [
        (recipient.user, recipient.detail, content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode())
        for envelope, content in zip(running.intake.accepted, running.intake.contents, strict=True)
        for recipient in envelope.recipients
    ]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a mail server's queue is as it should be."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another program's queue calls nobody
            await asyncio.sleep(0.1)


def site(place: Place, *, over_tcp: bool = False) -> Site:
    lmtp = f"127.0.0.1:{place.lmtp_port}" if over_tcp else place.socket
    return Site(lmtp=lmtp, addresses=SITE_ADDRESSES, smtp=f"127.0.0.1:{place.smtp_port}")
