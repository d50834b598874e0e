"""One open database: it has operations done, and knows none of them.

An operation is a plain function whose first argument is a Transaction (it writes) or a connection
(it reads). They stand in the files of this package by what they are about: messages, live, outbox,
people, … The command line runs the same functions in a transaction of its own (`offline.py`).
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from bridge.store import live, places
from bridge.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from bridge.box.live_set import Retention
    from bridge.kept import Committed
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


class Store:
    """One open database: a file, or what a URL leads to. Create it inside the running loop, close it when done.

    `changed` is called on the loop after every commit, with what that means for the broker. Before each one the live
    sets of the users whom it touched are brought up to date with `retention`, which may be replaced at any time.
    `node` is whose it is, to the others at a database.
    """

    def __init__(
        self,
        place: Path | str,
        *,
        now_ms: Callable[[], int],
        retention: Retention,
        changed: Callable[[Committed], None],
        node: str = "",
    ) -> None:
        self._engine = places.of(place, node=node)
        self.retention = retention
        self._bring_up = self._engine.form(live.bring_up_to_date)
        self._writer = Writer(self._engine, now_ms=now_ms, before_commit=self._bring_up_to_date, committed=changed)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._connection: Any = None

    async def close(self) -> None:
        """Commit what waits and let go of the database."""
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(self._reading, self._disconnect)
        self._reading.shutdown()

    async def write(
        self, operation: Callable[Concatenate[Transaction, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """What an operation returns, once all it did is on disk: `await store.write(messages.set_seen, …)`.

        It runs in the writer's thread, in one transaction with whatever else waits. Raises what the
        operation raises, or StoreUnavailableError; then nothing of it was kept.
        """
        return await self._writer.submit(self._engine.form(operation), *arguments, **options)

    def gather(
        self,
        operation: Callable[Concatenate[Transaction, list[U], P], list[T]],
        item: U,
        *arguments: P.args,
        **options: P.kwargs,
    ) -> asyncio.Future[T]:
        """As `write`, for one of many that an operation does at once; a future, so that no task has to wait for it."""
        return self._writer.gather(self._engine.form(operation), item, *arguments, **options)

    async def write_along(
        self, operation: Callable[Concatenate[Transaction, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """As `write`, for what nobody waits for: it goes into the next transaction, or soon into one of its own."""
        return await self._writer.ride(self._engine.form(operation), *arguments, **options)

    async def read(
        self, look: Callable[Concatenate[StoreConnection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """What a look at the database returns: `await store.read(amounts.live_messages)`.

        It runs in a thread of its own on a connection that never writes, and never waits for the
        writer. Raises StoreUnavailableError or StoreCorruptError.
        """
        form = self._engine.form(look)
        work = functools.partial(self._look, lambda connection: form(connection, *arguments, **options))
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)

    def writing(self, operation: Callable[Concatenate[Transaction, P], T]) -> Callable[P, Coroutine[Any, Any, T]]:
        """An operation bound to this store: called without the transaction, it is as `write`."""
        return functools.partial(self.write, operation)

    def reading(self, look: Callable[Concatenate[StoreConnection, P], T]) -> Callable[P, Coroutine[Any, Any, T]]:
        """A look bound to this store: called without the connection, it is as `read`."""
        return functools.partial(self.read, look)

    def _bring_up_to_date(self, transaction: Transaction) -> None:
        self._bring_up(transaction, self.retention)

    def _look(self, look: Callable[[StoreConnection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._engine.connect(reading=True)
            return look(self._connection)
        except Exception as error:
            typed = self._engine.translate(error)
            if typed is None:
                raise
            self._disconnect()
            raise typed from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
