"""Real mail servers in private directories on loopback, and the trial that each has to stand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.daemon import process
from bridge.daemon.app import Bridge
from bridge.store import database, offline, people
from clients.contract.header import decode_header
from tests.support.configured import configured
from tests.support.machine import ROOT, run
from tests.support.mosquitto import mosquitto
from tests.support.stored import COUNT, DAYS, Clock, add_user
from tests.support.waiting import free_port, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from clients.contract.header import Header

MAIL = b"From: Carol <carol@example.net>\nTo: alice@example.org\nSubject: %s\n\nHello\n"
PATIENCE = 60
POSTFIX_SERVICES = """pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 2 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""
"""The part of a master.cf that any Postfix needs."""


class MailServer(Protocol):
    """A mail server that was set up by its recipe."""

    def inject(self, mail: bytes, *to: str) -> None:
        """Hand it a mail with its own sendmail; the sender is bob@example.org."""

    def queued(self) -> bool:
        """Whether mail waits in its queue."""

    def flush(self) -> None:
        """Have it try the queue again now."""


class Devices:
    """One device for each user, and what it was told: header by message id."""

    def __init__(self, port: int, *users: str) -> None:
        self.told: dict[tuple[str, str], Header] = {}
        self._clients = [self._connected(port, user) for user in users]

    def _connected(self, port: int, user: str) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_connect = lambda connected, *_: connected.subscribe(f"mail/{user}/msg/+", 1)
        client.on_message = lambda _client, _data, message: self._hear(user, message)
        client.connect("127.0.0.1", port)
        client.loop_start()
        return client

    def _hear(self, user: str, message: paho.MQTTMessage) -> None:
        if message.payload:
            self.told[user, message.topic.rpartition("/")[2]] = decode_header(bytes(message.payload))

    @property
    def mail(self) -> list[tuple[str, str, str]]:
        """User, detail and subject of all mail that was told of; what was kept twice is in it twice."""
        return sorted((user, header.detail, header.subject) for (user, _), header in list(self.told.items()))

    def close(self) -> None:
        for client in self._clients:
            client.disconnect()
            client.loop_stop()


@dataclass(frozen=True)
class Place:
    """A directory that other users may enter, Postbell's listeners in it, its broker, and its users' devices."""

    directory: Path
    smtp_port: int
    lmtp_port: int
    broker_port: int
    devices: Devices = field(repr=False)
    group: str = ""
    """Who may enter the LMTP socket beside us; anybody, if empty."""

    @property
    def database(self) -> Path:
        return self.directory / "state" / "postbell.db"

    def lmtp(self, *, over_tcp: bool) -> str:
        """Where the LMTP listener is."""
        return f"127.0.0.1:{self.lmtp_port}" if over_tcp else f"unix:{self.directory}/lmtp"

    def kept(self) -> int:
        """How many messages the store has, told of or not."""
        with offline.reading(self.database) as connection:
            return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])

    def setup(self, server: str, *options: str, over_tcp: bool = False) -> str:
        """The script that `postbell setup` prints. It names nobody@example.org as well, whose user is gone since."""
        add_user(self.database, "nobody")
        listening = {"SMTP": f"127.0.0.1:{self.smtp_port}", "LMTP": self.lmtp(over_tcp=over_tcp)}
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "POSTBELL_STATE_DIR": str(self.database.parent),
            **{f"POSTBELL_{name}__LISTEN": address for name, address in listening.items()},
        }
        command = (sys.executable, "-m", "bridge", "setup", server, *options)
        script = run(*command, cwd=self.directory, env=environment)
        with offline.transaction(self.database, now_ms=Clock().now_ms, count=COUNT, days=DAYS) as transaction:
            people.remove_user(transaction, "nobody")
        return script

    @contextlib.asynccontextmanager
    async def postbell(self, *, over_tcp: bool = False) -> AsyncIterator[None]:
        """Postbell, listening where it listened before, with the store that it had."""
        ready = asyncio.Event()
        access = {"socket_owner": f":{self.group}"} if self.group else {"socket_mode": "0666"}
        settings = configured(
            state_dir=self.directory / "state",
            smtp={"listen": f"127.0.0.1:{self.smtp_port}"},
            lmtp={"listen": self.lmtp(over_tcp=over_tcp), **access},
            broker={"embedded": False},
            mqtt={"url": f"mqtt://127.0.0.1:{self.broker_port}"},
        )
        bridge = asyncio.create_task(process.run(Bridge(settings, ready=ready.set)), name="bridge")
        try:
            async with asyncio.timeout(PATIENCE):
                await ready.wait()
            yield
        finally:
            bridge.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bridge


@contextlib.contextmanager
def place(*, group: str = "") -> Iterator[Place]:
    """A fresh place with the users alice and bob, removed afterwards; only root can run mail servers."""
    if os.geteuid() != 0:
        pytest.skip("needs root to start a mail server")
    directory = Path(tempfile.mkdtemp(prefix="postbell-mta-"))
    directory.chmod(0o755)
    try:
        (directory / "state").mkdir()
        (directory / "broker").mkdir()
        store = directory / "state" / "postbell.db"
        database.prepare(store)
        for user in ("alice", "bob"):
            add_user(store, user)
        with mosquitto(directory / "broker") as port, contextlib.closing(Devices(port, "alice", "bob")) as devices:
            yield Place(directory, free_port(), free_port(), port, devices, group)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def trial(server: MailServer, place: Place, *, over_tcp: bool = False, detail: str = "work") -> None:
    """Mail arrives on the device; what is sent while Postbell is down does later; one bad of three harms nobody.

    `detail` is what is left of `alice+work@…` on the way.
    """

    devices = place.devices

    async def told(*due: tuple[str, str, str]) -> None:
        await waited(lambda: len(devices.mail) >= len(due), "the mail on the devices")
        assert devices.mail == sorted(due)

    first, second = ("alice", detail, "first"), ("alice", "", "second")
    async with place.postbell(over_tcp=over_tcp):
        await asyncio.to_thread(server.inject, MAIL % b"first", "alice+work@example.org", "carol@example.org")
        await told(first)

    await asyncio.to_thread(server.inject, MAIL % b"second", "alice@example.org")
    await waited(server.queued, "the mail in the queue")

    async with place.postbell(over_tcp=over_tcp):
        async with flushing(server):
            await told(first, second)

        three = ("alice@example.org", "nobody@example.org", "bob@example.org")
        await asyncio.to_thread(server.inject, MAIL % b"third", *three)
        await asyncio.to_thread(server.inject, MAIL % b"last", "bob@example.org")
        due = (first, second, ("alice", "", "third"), ("bob", "", "third"), ("bob", "", "last"))
        await told(*due)
        await waited(lambda: not server.queued(), "an empty queue")
        assert devices.mail == sorted(due)
        assert place.kept() == len(due), "a bounce came back, or a mail came twice"


async def waited(holds: Callable[[], bool], what: str) -> None:
    """Wait in a thread: asking a mail server for its queue starts a process."""
    await asyncio.to_thread(until, holds, what=what)


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
