"""One writer thread: everything that waits goes into one synced transaction (group commit).

Operations are functions of a Transaction; `submit` returns a future that is resolved only after
COMMIT has returned, or fails with a typed error when nothing of the operation was kept. What comes in
great numbers is handed over by `gather`: then one call does all that waits. One group is under way at a
time, and the next is handed over when the turns of the loop bring no more for it, so that what came in
together is committed together. What nobody waits for rides along (`ride`): it goes with the next that
somebody waits for, and by itself only when none comes for a moment.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from bridge.errors import StoreUnavailableError
from bridge.kept import Committed
from bridge.store import database
from bridge.store.group import Begun, GroupOutcome, Job, perform

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

    from bridge.contract.publication import Publication

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
RIDE_S = 0.01
"""How long what rides along waits for something to ride with."""
LARGEST_BATCH = 512
"""Operations in one transaction at most: a bound on how long the first of them waits."""
TURNS_AT_MOST = 3
"""So many turns of the loop a group waits for more, as long as each brings some."""
LONG_S, ELSEWHERE_S = 0.2, 60.0
"""A group that takes the loop longer than the first has the next ones done by the thread for the second."""


@dataclass(slots=True)
class Transaction:
    """What an operation works with: the connection inside BEGIN … COMMIT, and the moment it began."""

    connection: sqlite3.Connection
    now_ms: int
    changed: set[int] = field(default_factory=set)
    """Users whose live sets must be worked out anew before COMMIT, and whose views are marked."""
    doubtful: set[int] = field(default_factory=set)
    """Users whose live sets are worked out anew, and whose views are marked if that changed anything."""
    fresh: list[Publication] = field(default_factory=list)
    """What can be published as it is once it is on disk, and waits in no row of the outbox."""
    messages_marked: bool = False
    """Whether other topics that go before the views were marked."""
    views_marked: bool = False
    rung: bool = False
    """Whether devices may have to be rung by push."""

    @property
    def news(self) -> Committed:
        """What all of it means for the broker."""
        return Committed(
            tuple(self.fresh), self.messages_marked, self.views_marked, frozenset(self.changed), rung=self.rung
        )


class Writer:
    """The writer thread of one database. Start it inside the event loop that awaits its futures.

    `before_commit` runs once per transaction, behind all its operations; `committed` on the loop after each one, before
    anybody learns of the results.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_ms: Callable[[], int],
        before_commit: Callable[[Transaction], None],
        committed: Callable[[Committed], None],
    ) -> None:
        import asyncio  # noqa: PLC0415 - commands take Transaction from here, and have no loop

        self._path = path
        self._now_ms = now_ms
        self._before_commit = before_commit
        self._committed = committed
        self._gathered: list[Job] = []
        self._riding: list[Job] = []
        self._departure: asyncio.TimerHandle | None = None
        self._under_way = False
        self._looking = False
        self._turns = self._counted = 0
        self._idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs: queue.SimpleQueue[tuple[list[Job], Begun | None] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._connection: sqlite3.Connection | None = None
        self._patience_s = database.BUSY_TIMEOUT_S
        self._here_again_at = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(
        self, operation: Callable[Concatenate[Transaction, P], T], *arguments: P.args, **options: P.kwargs
    ) -> asyncio.Future[T]:
        """Queue an operation; its future carries its result once it is on disk.

        The future fails with what the operation raised, or with StoreUnavailableError.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue(Job(operation, arguments, options, future))
        return future

    def gather(
        self,
        operation: Callable[Concatenate[Transaction, list[U], P], list[T]],
        item: U,
        *arguments: P.args,
        **options: P.kwargs,
    ) -> asyncio.Future[T]:
        """The same for one of many: an operation that takes a list of them, and gives a result for each.

        The arguments behind the list have to be the same for all that are handed over in one transaction, or they are
        not done together.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue(Job(operation, (item, *arguments), options, future, gathered=True, brief=True))
        return future

    def ride(
        self, operation: Callable[Concatenate[Transaction, P], T], *arguments: P.args, **options: P.kwargs
    ) -> asyncio.Future[T]:
        """As `submit`, for what may wait for a moment, so that nobody's commit waits for a transaction of its own."""
        future: asyncio.Future[T] = self._loop.create_future()
        job = Job(operation, arguments, options, future, brief=True)
        if self._closed or self._gathered:
            self._queue(job)
            return future
        self._riding.append(job)
        if self._departure is None:
            self._departure = self._loop.call_later(RIDE_S, self._depart)
        return future

    def _queue(self, job: Job) -> None:
        if self._closed:
            job.future.set_exception(StoreUnavailableError(f"{self._path}: closed"))
            return
        self._gathered.append(job)
        self._look_soon()

    def _depart(self) -> None:
        """What rides along has waited long enough."""
        self._departure = None
        self._gathered += self._riding
        self._riding = []
        self._look_soon()

    def _look_soon(self) -> None:
        if self._gathered and not (self._looking or self._under_way):
            self._looking = True
            self._turns = self._counted = 0
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Hand a group over when the last turn brought no more for it."""
        if len(self._gathered) > self._counted and self._turns < TURNS_AT_MOST:
            self._counted = len(self._gathered)
            self._turns += 1
            self._loop.call_soon(self._look)
            return
        self._looking = False
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None
        jobs = self._gathered + self._riding
        self._gathered, self._riding = jobs[LARGEST_BATCH:], []
        self._under_way = True
        self._jobs.put((jobs[:LARGEST_BATCH], self._begin_here(jobs[:LARGEST_BATCH])))

    def _begin_here(self, batch: list[Job]) -> Begun | None:
        """Do all but COMMIT of a group of mails on the loop, which nobody's lock slows down; None: the thread has to.

        It has to where that takes long, while another process holds the database, and when anything is wrong.
        """
        connection = self._connection
        if connection is None or not all(job.brief for job in batch) or time.monotonic() < self._here_again_at:
            return None
        begun_at = time.monotonic()
        try:
            return self._begin(connection, batch, patience_s=0)
        except Exception:  # noqa: BLE001 - the thread meets it again, and tells whoever waits
            if connection.in_transaction:
                self._reopen_later()
            return None
        finally:
            if time.monotonic() - begun_at > LONG_S:
                self._here_again_at = time.monotonic() + ELSEWHERE_S

    async def close(self) -> None:
        """Finish what is queued, take nothing more, and end the thread."""
        import asyncio  # noqa: PLC0415 - as above

        self._closed = True
        self._depart()
        while self._gathered or self._under_way:
            self._idle = self._loop.create_future()
            await self._idle
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._deliver(self._write(*job))
        if self._connection is not None:
            self._connection.close()

    def _write(self, batch: list[Job], begun: Begun | None = None) -> list[GroupOutcome]:
        """Commit a batch; if one operation spoils it, each is tried again on its own."""
        try:
            results, news = self._commit(batch, begun)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever awaits the future
            of_the_file = isinstance(error, sqlite3.Error) and database.concerns_file(error)
            if of_the_file:
                self._reopen_later()
            if len(batch) > 1 and not of_the_file:
                return [outcome for job in batch for outcome in self._write([job])]
            if isinstance(error, sqlite3.Error):
                error = database.translate(error, self._path)
            return [GroupOutcome(batch, error=error)]
        return [GroupOutcome(batch, results, news)]

    def _commit(self, batch: list[Job], begun: Begun | None) -> tuple[list[Any], Committed]:
        if self._connection is None:
            self._connection = database.connect(self._path)
        connection = self._connection
        try:
            begun = begun or self._begin(connection, batch, patience_s=database.BUSY_TIMEOUT_S)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return begun.results, begun.transaction.news

    def _begin(self, connection: sqlite3.Connection, batch: list[Job], *, patience_s: float) -> Begun:
        """Do all operations of a batch; while another process holds the database it is waited for so long."""
        if patience_s != self._patience_s:
            connection.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}").fetchone()
            self._patience_s = patience_s
        connection.execute("BEGIN IMMEDIATE")
        transaction = Transaction(connection, self._now_ms(), rung=not all(job.brief for job in batch))
        results = perform(transaction, batch)
        self._before_commit(transaction)
        return Begun(transaction, results)

    def _reopen_later(self) -> None:
        """A fresh connection recovers by itself from read-only, full or replaced files."""
        connection, self._connection = self._connection, None
        self._patience_s = database.BUSY_TIMEOUT_S
        if connection is not None:
            connection.close()

    def _deliver(self, outcomes: list[GroupOutcome]) -> None:
        """Tell the loop; one that is already closed has nobody left who waits."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve, outcomes)

    def _resolve(self, outcomes: list[GroupOutcome]) -> None:
        self._under_way = False
        for outcome in outcomes:
            self._committed(outcome.news)
            outcome.resolve()
        self._look_soon()
        if self._closed and not self._idle.done():
            self._idle.set_result(None)
