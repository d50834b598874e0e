"""One writer thread: everything that waits goes into one synced transaction (group commit).

Operations are functions of a Transaction; `submit` returns a future that is resolved only after
COMMIT has returned, or fails with a typed error when nothing of the operation was kept. What comes in
great numbers is handed over by `gather`: then one call does all that waits. The loop hands over when its
turns bring no more, so that what came in together is committed together. What nobody waits for rides
along (`ride`): it goes with the next that somebody waits for, and by itself only when none comes for a moment.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from bridge.errors import StoreUnavailableError
from bridge.kept import Committed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from bridge.contract.publication import Publication
    from bridge.store.engine import Engine, StoreConnection

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
RIDE_S = 0.01
"""How long what rides along waits for something to ride with."""
LARGEST_BATCH = 512
"""Operations in one transaction at most: a bound on how long the first of them waits."""
TRIES = 3
"""How often a batch is tried that others, who write as well, keep from being done."""
TURNS_AT_MOST = 3
"""So many turns of the loop a group waits for more, as long as each brings some."""


@dataclass(slots=True)
class Transaction:
    """What an operation works with: the connection inside BEGIN … COMMIT, and the moment it began."""

    connection: StoreConnection
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
    marked: set[int] = field(default_factory=set)
    """Users of whom something waits for the broker now, 0 for what belongs to nobody."""
    form: Callable[[Any], Any] = lambda operation: operation
    """An operation as it is done in this database."""

    @property
    def news(self) -> Committed:
        """What all of it means for the broker."""
        return Committed(
            tuple(self.fresh), self.messages_marked, self.views_marked, frozenset(self.changed), rung=self.rung
        )


@dataclass(slots=True, eq=False)
class Job:
    """One operation with its arguments, and the future that gets its result. Nobody changes it.

    `gathered` says that it takes a list of its first argument, for all such jobs at once, and gives one of results;
    `rings` that it may be one after which devices have to be rung, without its saying so (`Transaction.rung`).
    """

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    future: asyncio.Future[Any]
    gathered: bool = False
    rings: bool = True


class Writer:
    """The writer thread of one database. Start it inside the event loop that awaits its futures.

    `before_commit` runs once per transaction, behind all its operations; `committed` on the loop after each one, before
    anybody learns of the results.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        now_ms: Callable[[], int],
        before_commit: Callable[[Transaction], None],
        committed: Callable[[Committed], None],
    ) -> None:
        import asyncio  # noqa: PLC0415 - commands take Transaction from here, and have no loop

        self._engine = engine
        self._now_ms = now_ms
        self._before_commit = before_commit
        self._committed = committed
        self._gathered: list[Job] = []
        self._riding: list[Job] = []
        self._departure: asyncio.TimerHandle | None = None
        self._turns = self._counted = 0
        self._jobs: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._connection: Any = None
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
        self._queue(Job(operation, (item, *arguments), options, future, gathered=True, rings=False))
        return future

    def ride(
        self, operation: Callable[Concatenate[Transaction, P], T], *arguments: P.args, **options: P.kwargs
    ) -> asyncio.Future[T]:
        """As `submit`, for what may wait for a moment, so that nobody's commit waits for a transaction of its own."""
        future: asyncio.Future[T] = self._loop.create_future()
        job = Job(operation, arguments, options, future, rings=False)
        if self._closed or self._gathered:
            self._queue(job)
            return future
        self._riding.append(job)
        if self._departure is None:
            self._departure = self._loop.call_later(RIDE_S, self._hand_over)
        return future

    def _queue(self, job: Job) -> None:
        if self._closed:
            job.future.set_exception(StoreUnavailableError(f"{self._engine.place}: closed"))
            return
        if not self._gathered:
            self._turns = self._counted = 0
            self._loop.call_soon(self._look)
        self._gathered.append(job)

    def _look(self) -> None:
        """Hand over what has come when this turn brought no more."""
        if len(self._gathered) > self._counted and self._turns < TURNS_AT_MOST:
            self._counted, self._turns = len(self._gathered), self._turns + 1
            self._loop.call_soon(self._look)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """What came goes to the thread at once, and what rides along behind it."""
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None
        jobs = self._gathered + self._riding
        self._gathered, self._riding = [], []
        if jobs:
            self._jobs.put(jobs)

    async def close(self) -> None:
        """Finish what is queued, take nothing more, and end the thread."""
        import asyncio  # noqa: PLC0415 - as above

        self._closed = True
        self._hand_over()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        last = False
        while not last and (batch := self._jobs.get()) is not None:
            while len(batch) < LARGEST_BATCH:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch += following
            for start in range(0, len(batch), LARGEST_BATCH):
                self._write(batch[start : start + LARGEST_BATCH])
        if self._connection is not None:
            self._connection.close()

    def _write(self, batch: list[Job], tries: int = TRIES) -> None:
        """Commit a batch; if one operation spoils it, each is tried again on its own."""
        try:
            results, transaction = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever awaits the future
            of_the_database = self._engine.concerns_database(error)
            if of_the_database:
                self._reopen_later()
            elif tries > 1 and self._engine.again(error):
                self._write(batch, tries - 1)
                return
            elif len(batch) > 1:
                for job in batch:
                    self._write([job])
                return
            error = self._engine.translate(error) or error
            self._deliver([(job.future, None, error) for job in batch], Committed())
            return
        outcomes = [(job.future, result, None) for job, result in zip(batch, results, strict=True)]
        self._deliver(outcomes, transaction.news)
        try:
            self._engine.announce(self._connection, transaction.marked)
        except Exception as error:  # noqa: BLE001 - it is kept; whoever was not told looks by itself
            if self._engine.concerns_database(error):
                self._reopen_later()

    def _commit(self, batch: list[Job]) -> tuple[list[Any], Transaction]:
        engine = self._engine
        if self._connection is None:
            self._connection = engine.connect()
        connection = self._connection
        engine.begin(connection)
        try:
            transaction = Transaction(
                connection, self._now_ms(), rung=any(job.rings for job in batch), form=engine.form
            )
            results = _perform(transaction, batch)
            self._before_commit(transaction)
            engine.commit(connection)
        except BaseException:
            engine.rollback(connection)
            raise
        return results, transaction

    def _reopen_later(self) -> None:
        """A fresh connection recovers by itself."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _deliver(
        self, outcomes: Sequence[tuple[asyncio.Future[Any], Any, BaseException | None]], news: Committed
    ) -> None:
        def resolve() -> None:
            self._committed(news)
            for future, result, error in outcomes:
                if future.done():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        # A loop that is already closed has nobody left who waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resolve)


def _perform(transaction: Transaction, batch: list[Job]) -> list[Any]:
    """Do all operations, what is gathered first and together; the results are in the order of the batch."""
    results: list[Any] = [None] * len(batch)
    together: list[tuple[Job, list[int]]] = []
    alone = []
    for index, job in enumerate(batch):
        if not job.gathered:
            alone.append(index)
            continue
        for like, indexes in together:
            if like.operation is job.operation and (like.arguments[1:], like.options) == (
                job.arguments[1:],
                job.options,
            ):
                indexes.append(index)
                break
        else:
            together.append((job, [index]))
    for like, indexes in together:
        items = [batch[index].arguments[0] for index in indexes]
        found = like.operation(transaction, items, *like.arguments[1:], **like.options)
        for index, result in zip(indexes, found, strict=True):
            results[index] = result
    for index in alone:
        job = batch[index]
        results[index] = job.operation(transaction, *job.arguments, **job.options)
    return results
