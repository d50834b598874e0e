"""The workers of a bridge, as it has them: started, told, heard, started again when one dies (`worker.py`).

The bridge stays what it was without them: it listens, counts who may come in, keeps mail, and converses with whomever
no worker takes. So a worker that dies costs its own connections, whose senders try again, and nothing that was kept.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bridge.daemon import frames
from bridge.errors import MalformedAddressError, UnknownUserError
from bridge.ingress.sessions import STOP_S

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bridge.daemon.worker_settings import WorkerSettings
    from bridge.intake import ReadMail
    from bridge.model import Envelope, Recipient
    from bridge.publish.backoff import Backoff
    from bridge.reply import Reply
    from bridge.tally import Tally

CORES_FOR_ONE = 2
"""Cores for each worker: sender, broker and bridge want some as well."""
FEWEST_CORES, MOST_WORKERS = 4, 8
BUSY_CONNECTIONS = 10
"""With `auto` workers are started when so many connections are open at once: who has little mail needs none."""
STEADY_S = 30.0
"""A worker that lived this long was healthy: its next restart does not wait longer than the first."""
LATE_S = 5.0
"""How long after the last session has to be over a worker may take to end before it is killed."""

log = structlog.get_logger()


def fitting(cores: int) -> int:
    """How many workers fit a machine with so many cores."""
    return min(cores // CORES_FOR_ONE, MOST_WORKERS) if cores >= FEWEST_CORES else 0


class Keep(Protocol):
    """What keeps a mail that was read."""

    async def __call__(self, envelope: Envelope, read: ReadMail, /) -> Sequence[Reply]:
        """One reply for each recipient, as `Intake.accept`."""


@dataclass(slots=True, eq=False)
class _Hand:
    """One worker's process, the line to it, and what it has to do."""

    name: str
    line: frames.WorkerLine
    connections: socket.socket
    process: asyncio.subprocess.Process | None = None
    ready: bool = False
    passed: dict[int, tuple[str, str]] = field(default_factory=dict)
    """The connections it has: by which listener each came, and whose address it is counted as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewNeeds:
    """What the bridge gives its workers: `settings` of a worker by its name, what it asks, and who has gone."""

    settings: Callable[[str], WorkerSettings]
    resolve: Callable[[str], Awaitable[Recipient]]
    full: Callable[[], Collection[int]]
    keep: Keep
    check_login: Callable[[str, str], Awaitable[bool]]
    gone: Callable[[str], None]
    connections: Callable[[], int]
    tally: Tally


class Crew:
    """Keeps `count` workers running; with `at_once` from the start, else from the first busy moment on."""

    def __init__(
        self,
        *,
        count: int,
        at_once: bool,
        needs: CrewNeeds,
        backoff: Backoff,
        jitter: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._count = count
        self._needs = needs
        self._backoff = backoff
        self._jitter = jitter
        self._monotonic = monotonic
        self._hands: list[_Hand] = []
        self._passed = 0
        self._wanted = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        if at_once:
            self._wanted.set()

    # --- as the ingress sees it ------------------------------------------------------------------------------

    def take(self, descriptor: int, listener: str, address: str) -> bool:
        """Give a connection to the worker that has the fewest; false when none takes it now."""
        hand = min((hand for hand in self._hands if hand.ready), key=lambda hand: len(hand.passed), default=None)
        if hand is None:
            if not self._wanted.is_set() and self._needs.connections() >= BUSY_CONNECTIONS:
                self._wanted.set()
            return False
        self._passed += 1
        note = f"{self._passed} {listener} {hand.line.said}".encode("ascii")
        try:
            socket.send_fds(hand.connections, [note], [descriptor])
        except OSError:  # it is slow to take them, or gone
            return False
        hand.passed[self._passed] = listener, address
        self._needs.tally.begin(listener)
        return True

    async def end(self, *, grace_s: float) -> None:
        """Have the workers end their sessions and themselves; what does not is killed."""
        ending = [self._end(hand, grace_s) for hand in self._hands]
        await asyncio.gather(*ending)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what they are told --------------------------------------------------------------------------------

    def tell_settings(self) -> None:
        """There are other settings, which hold for sessions that begin from now on."""
        for hand in self._hands:
            hand.line.say("settings", self._needs.settings(hand.name).packed())

    def tell_people(self) -> None:
        """People have changed: whose an address is has to be asked anew."""
        for hand in self._hands:
            hand.line.say("people")

    def tell_full(self) -> None:
        """Somebody's box is full, or not any more."""
        for hand in self._hands:
            hand.line.say("full", list(self._needs.full()))

    # --- their processes -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep them running until cancelled; `end` ends them, as mail may be under way."""
        await self._wanted.wait()
        async with asyncio.TaskGroup() as tasks:
            for number in range(1, self._count + 1):
                tasks.create_task(self._keep_running(f"worker-{number}"), name=f"worker-{number}")

    async def _keep_running(self, name: str) -> None:
        attempt = 0
        while True:
            started_at = self._monotonic()
            try:
                code = await self._run_once(name)
            except OSError as error:  # the bridge does its work meanwhile
                attempt += 1
                log.warning("worker_not_started", worker=name, reason=error.strerror)
            else:
                attempt = 0 if self._monotonic() - started_at > STEADY_S else attempt + 1
                log.error("worker_died", worker=name, code=code, restarts=attempt)
            await asyncio.sleep(self._backoff.delay_s(attempt, jitter=self._jitter()))

    async def _run_once(self, name: str) -> int:
        hand = await self._started(name)
        assert hand.process is not None
        code = await hand.process.wait()
        self._lost(hand)
        return code

    async def _started(self, name: str) -> _Hand:
        ours, theirs = socket.socketpair()
        passing, passed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, passed:
            for end in (ours, passing):
                end.setblocking(False)
            line = frames.WorkerLine(heard=lambda frame: self._heard(hand, frame), lost=lambda: self._lost(hand))
            hand = _Hand(name, line, passing)
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=ours)
                given = (theirs.fileno(), passed.fileno())
                # -P: it imports nothing from the directory that the bridge happens to stand in
                hand.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "bridge.daemon.worker", *map(str, given)),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=given,
                    start_new_session=True,
                )
            except BaseException:
                passing.close()
                line.close()
                raise
        self._hands.append(hand)
        line.say("settings", self._needs.settings(name).packed())
        line.say("full", list(self._needs.full()))
        line.say("begin")
        log.info("worker_started", worker=name, pid=hand.process.pid)
        return hand

    def _lost(self, hand: _Hand) -> None:
        """A worker is gone, and its connections with it."""
        if hand not in self._hands:
            return
        self._hands.remove(hand)
        hand.ready = False
        hand.connections.close()
        hand.line.close()
        asyncio.get_running_loop().call_later(LATE_S, _kill, hand)  # one that does not speak any more, and lives
        for number in list(hand.passed):
            self._left(hand, number)

    async def _end(self, hand: _Hand, grace_s: float) -> None:
        hand.ready = False
        hand.line.say("end", grace_s)
        assert hand.process is not None
        ending = asyncio.ensure_future(hand.process.wait())
        await asyncio.wait({ending}, timeout=grace_s + STOP_S + LATE_S)
        _kill(hand)
        await ending
        self._lost(hand)

    # --- what they say ---------------------------------------------------------------------------------------

    def _heard(self, hand: _Hand, frame: frames.Frame) -> None:
        name, *values = frame
        if name == "mail":
            self._start(self._keep(hand, *values))
        elif name == "whose":
            self._start(self._resolve(hand, *values))
        elif name == "counted":
            self._counted(*values)
        elif name == "left":
            self._left(hand, *values)
        elif name == "login":
            self._start(self._check(hand, *values))
        elif name == "ready":
            hand.ready = True
            log.info("worker_ready", worker=hand.name)

    async def _keep(self, hand: _Hand, number: int, *values: Any) -> None:
        try:
            answer = frames.replies(await self._needs.keep(*frames.mail_of(values)))
        except Exception:  # the worker's edge: whatever is wrong with us, the sender is to try again
            hand.line.say("answer", number, None)
            log.exception("worker_mail_failed", worker=hand.name)
        else:
            hand.line.say("answer", number, answer)

    async def _resolve(self, hand: _Hand, number: int, address: str) -> None:
        try:
            answer = frames.recipient(await self._needs.resolve(address))
        except (UnknownUserError, MalformedAddressError) as error:
            hand.line.say("answer", number, frames.recipient(error))
        except Exception:  # as above
            hand.line.say("answer", number, None)
            log.exception("worker_look_up_failed", worker=hand.name)
        else:
            hand.line.say("answer", number, answer)

    async def _check(self, hand: _Hand, number: int, user: str, password: str) -> None:
        try:
            right = await self._needs.check_login(user, password)
        except Exception:  # as above
            hand.line.say("answer", number, None)
            log.exception("worker_login_failed", worker=hand.name)
        else:
            hand.line.say("answer", number, right)

    def _left(self, hand: _Hand, number: int) -> None:
        listener, address = hand.passed.pop(number)
        self._needs.gone(address)
        self._needs.tally.end(listener)

    def _counted(self, name: str, key: Any, by: int) -> None:
        counter: Counter[Any] = getattr(self._needs.tally, name)
        counter[key] += by

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _kill(hand: _Hand) -> None:
    if hand.process is not None and hand.process.returncode is None:
        with suppress(ProcessLookupError):
            hand.process.kill()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))
