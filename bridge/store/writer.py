"""One writer thread: everything that waits goes into one synced transaction (group commit).

Operations are functions of a Transaction; `submit` returns a future that is resolved only after
COMMIT has returned, or fails with a typed error when nothing of the operation was kept.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from bridge.errors import StoreUnavailableError
from bridge.store import database

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path

P = ParamSpec("P")
T = TypeVar("T")
LARGEST_BATCH = 512
"""Operations in one transaction at most: a bound on how long the first of them waits."""


@dataclass(slots=True)
class Transaction:
    """What an operation works with: the connection inside BEGIN … COMMIT, and the moment it began."""

    connection: sqlite3.Connection
    now_ms: int
    grown: set[int] = field(default_factory=set)
    """Users who only got new mail: their live sets are trimmed before COMMIT."""
    changed: set[int] = field(default_factory=set)
    """Users whose live sets must be worked out anew before COMMIT, and whose views are marked."""
    doubtful: set[int] = field(default_factory=set)
    """Users whose live sets are worked out anew, and whose views are marked if that changed anything."""


@dataclass(frozen=True, slots=True)
class Job:
    """One operation with its arguments, and the future that gets its result."""

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    future: asyncio.Future[Any]


class Writer:
    """The writer thread of one database. Start it inside the event loop that awaits its futures.

    `before_commit` runs once per transaction, behind all its operations; `committed` on the loop after each one.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_ms: Callable[[], int],
        before_commit: Callable[[Transaction], None],
        committed: Callable[[], None],
    ) -> None:
        import asyncio  # noqa: PLC0415 - commands take Transaction from here, and have no loop

        self._path = path
        self._now_ms = now_ms
        self._before_commit = before_commit
        self._committed = committed
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._connection: sqlite3.Connection | None = None
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
        if self._closed:
            future.set_exception(StoreUnavailableError(f"{self._path}: closed"))
        else:
            self._jobs.put(Job(operation, arguments, options, future))
        return future

    async def close(self) -> None:
        """Finish what is queued, take nothing more, and end the thread."""
        import asyncio  # noqa: PLC0415 - as above

        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch, last = [job], False
            while len(batch) < LARGEST_BATCH:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._write(batch)
            if last:
                break
        if self._connection is not None:
            self._connection.close()

    def _write(self, batch: list[Job]) -> None:
        """Commit a batch; if one operation spoils it, each is tried again on its own."""
        try:
            results = self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever awaits the future
            of_the_file = isinstance(error, sqlite3.Error) and database.concerns_file(error)
            if of_the_file:
                self._reopen_later()
            if len(batch) > 1 and not of_the_file:
                for job in batch:
                    self._write([job])
                return
            if isinstance(error, sqlite3.Error):
                error = database.translate(error, self._path)
            self._deliver([(job.future, None, error) for job in batch])
            return
        self._deliver([(job.future, result, None) for job, result in zip(batch, results, strict=True)])

    def _commit(self, batch: list[Job]) -> list[Any]:
        if self._connection is None:
            self._connection = database.connect(self._path)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(connection, self._now_ms())
            results = [job.operation(transaction, *job.arguments, **job.options) for job in batch]
            self._before_commit(transaction)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _reopen_later(self) -> None:
        """A fresh connection recovers by itself from read-only, full or replaced files."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _deliver(self, outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        def resolve() -> None:
            for future, result, error in outcomes:
                if future.done():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)
            self._committed()

        # A loop that is already closed has nobody left who waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(resolve)
