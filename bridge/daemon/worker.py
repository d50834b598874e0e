"""A worker: a process that converses with mail senders and reads their mail, while the bridge alone keeps it.

Connections come from the bridge, which has accepted and counted them (`crew.py`). A mail goes to the bridge when it has
been read, and is answered 250 when the bridge says that it is on disk. Whatever a worker knows it was told by the
bridge: settings, whose box is full, and, when it asks, whose an address is. When the bridge is gone the worker ends,
and with it its sessions; who has no 250 tries again.
"""

from __future__ import annotations

import asyncio
import gc
import pickle
import signal
import socket
import sys
from collections import Counter, OrderedDict, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from bridge.daemon import frames, logs
from bridge.errors import ConfigurationError, SmtpError, StoreUnavailableError
from bridge.ingress import Ingress
from bridge.intake import MailReader, refusals, with_room
from bridge.spool import Spool
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from bridge.daemon.worker_settings import WorkerSettings
    from bridge.model import Envelope, Recipient
    from bridge.reply import Reply

AT_ONCE = 16
"""Connections taken in one turn of the loop."""
KEPT = 4096
"""Addresses of which a worker keeps in mind whose they are, until people change."""
NOTE_BYTES = 64
"""What comes with a connection: its number, its listener, and how many frames were said before it."""

log = structlog.get_logger()


class FarIntake:
    """The intake as sessions here see it: mail is read here, and kept by the bridge, which knows whose it is."""

    def __init__(self, line: frames.WorkerLine, *, reader: MailReader, tally: Tally) -> None:
        self._recipients: OrderedDict[str, Recipient] = OrderedDict()
        self._changes = 0
        self.full: frozenset[int] = frozenset()
        self._line = line
        self.reader = reader
        self._tally = tally
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def known(self, address: str) -> Recipient | None:
        """Whose address it is, if the bridge has said so before; raises OverQuotaError."""
        found = self._recipients.get(address)
        if found is None:
            return None
        self._recipients.move_to_end(address)
        return with_room(found, self.full)

    async def resolve(self, address: str) -> Recipient:
        """Whose address it is, as the bridge says; raises SmtpError."""
        changes = self._changes
        answer = await self._ask("whose", address)
        if answer is None:
            raise StoreUnavailableError("the bridge could not look, and has said why")
        found = frames.recipient_of(answer)
        if changes == self._changes:  # else it may be of before
            self._recipients[address] = found
            if len(self._recipients) > KEPT:
                self._recipients.popitem(last=False)
        return with_room(found, self.full)

    def forget_people(self) -> None:
        """People have changed."""
        self._changes += 1
        self._recipients.clear()

    async def accept(self, envelope: Envelope) -> tuple[Reply, ...]:
        """Read a mail and have the bridge keep it; a reply of 250 means that it is on disk there."""
        try:
            read = await self.reader.read(envelope)
        except SmtpError as error:
            return refusals(error, envelope, tally=self._tally)
        answer = await self._ask("mail", *frames.mail(envelope, read))
        if answer is None:
            raise StoreUnavailableError("the bridge could not keep it, and has said why")
        return frames.replies_of(answer)

    async def check_login(self, user: str, password: str) -> bool:
        """Whether this login may hand in mail; raises StoreUnavailableError when that cannot be found out now."""
        answer = await self._ask("login", user, password)
        if answer is None:
            raise StoreUnavailableError("the bridge could not look, and has said why")
        return bool(answer)

    def answered(self, number: int, answer: Any) -> None:
        """The bridge has answered; who asked may be gone."""
        future = self._waiting.pop(number, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def _ask(self, name: str, *values: Any) -> asyncio.Future[Any]:
        self._asked += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._asked] = future
        self._line.say(name, self._asked, *values)
        return future


class ToldCounter(Counter[Any]):
    """A counter that says each change, for the bridge to count it."""

    def __init__(self, told: Callable[[Hashable, int], None]) -> None:
        super().__init__()
        self._told = told

    def __setitem__(self, key: Hashable, count: int) -> None:
        self._told(key, count - self[key])
        super().__setitem__(key, count)


class Worker:
    """What a worker does with what the bridge says."""

    def __init__(self, connections: socket.socket) -> None:
        self.ended = asyncio.Event()
        self._connections = connections
        self._line = frames.WorkerLine(heard=self._heard, lost=self.ended.set)
        self._tally = Tally(
            refusals=self._counter("refusals"),
            messages_refused=self._counter("messages_refused"),
        )
        self._intake = FarIntake(self._line, reader=MailReader(), tally=self._tally)
        self._ingress: Ingress | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._early: deque[tuple[int, int, str, socket.socket]] = deque()
        """Connections that came before what the bridge had said before them."""
        self._does: dict[str, Callable[..., None]] = {
            "settings": self._use,
            "people": self._intake.forget_people,
            "full": self._know_full,
            "begin": self._begin,
            "answer": self._intake.answered,
            "end": self._end,
        }

    async def run(self, bridge: socket.socket) -> None:
        """Work until the bridge says that it is enough, or is gone."""
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self._line, sock=bridge)
        await self.ended.wait()
        loop.remove_reader(self._connections.fileno())

    def _heard(self, frame: frames.Frame) -> None:
        name, *values = frame
        self._does[name](*values)
        while self._early and self._early[0][0] <= self._line.heard:
            self._start(self._converse(*self._early.popleft()[1:]))

    # --- what the bridge says ------------------------------------------------------------------------------

    def _use(self, packed: bytes) -> None:
        settings: WorkerSettings = pickle.loads(packed)  # noqa: S301 - of our own bridge
        wanted = replace(settings.ingress, smtp_listen=None, smtps_listen=None, lmtp_listen=None)
        if self._ingress is None:
            self._verbosity = logs.configure(level=settings.log_level, style=settings.log_style, process=settings.name)
            self._ingress = Ingress(
                intake=self._intake,
                spool=Spool(settings.spool_dir),
                settings=wanted,
                check_login=self._intake.check_login,
                tally=self._tally,
            )
        else:
            try:
                self._ingress.prepare(wanted)()
            except ConfigurationError as error:  # the bridge could read it a moment ago
                log.warning("certificate_not_used", reason=str(error))
        self._intake.reader.beliefs = settings.beliefs
        self._verbosity.set(settings.log_level)

    def _know_full(self, users: Any) -> None:
        self._intake.full = frozenset(users)

    def _begin(self) -> None:
        assert self._ingress is not None
        gc.collect()
        gc.freeze()  # as the bridge does
        loop = asyncio.get_running_loop()
        self._start(self._ingress.follow())
        loop.add_reader(self._connections.fileno(), self._take)
        self._line.say("ready")

    def _end(self, grace_s: float) -> None:
        self._start(self._close(grace_s))

    async def _close(self, grace_s: float) -> None:
        assert self._ingress is not None
        await self._ingress.close(grace_s=grace_s)
        self.ended.set()

    # --- connections ---------------------------------------------------------------------------------------

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            try:
                note, descriptors, _flags, _address = socket.recv_fds(self._connections, NOTE_BYTES, 1)
            except BlockingIOError:
                return
            if not note:
                self.ended.set()
                return
            number, listener, behind = note.decode("ascii").split()
            if not descriptors:  # there was no room for one more
                self._line.say("left", int(number))
                continue
            accepted = int(number), listener, socket.socket(fileno=descriptors[0])
            if int(behind) > self._line.heard:
                self._early.append((int(behind), *accepted))
            else:
                self._start(self._converse(*accepted))

    async def _converse(self, number: int, listener: str, accepted: socket.socket) -> None:
        assert self._ingress is not None
        accepted.setblocking(False)
        try:
            await self._ingress.converse(listener, accepted, left=lambda: self._line.say("left", number))
        except OSError:
            accepted.close()
            self._line.say("left", number)

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _counter(self, name: str) -> ToldCounter:
        return ToldCounter(lambda key, by: self._line.say("counted", name, key, by))


async def _work(bridge: socket.socket, connections: socket.socket) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it is the bridge that is told, and tells us
    await Worker(connections).run(bridge)


def main(bridge: int, connections: int) -> None:
    """Work with these two descriptors: the line to the bridge, and where connections come from."""
    import uvloop  # noqa: PLC0415 - who is imported for its names needs no loop

    ends = [socket.socket(fileno=number) for number in (bridge, connections)]
    for end in ends:
        end.setblocking(False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(*ends))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
