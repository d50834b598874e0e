"""One session at PostgreSQL with a thread of its own: what is to be done there, one thing after the other.

A connection that failed is made anew for the next thing.
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import psycopg

from bridge.errors import StoreUnavailableError
from bridge.postgres import database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bridge.postgres.connection import PostgresConnection

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """A connection to the database at `url`, which `connect` makes when it is first needed and after each failure."""

    def __init__(self, connect: Callable[[], PostgresConnection], *, url: str, name: str) -> None:
        self._connect = connect
        self._url = url
        self._connection: PostgresConnection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(
        self, work: Callable[Concatenate[PostgresConnection, P], T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """What `work` returns, done on the connection; raises StoreUnavailableError, and what else it raises.

        One that is cancelled goes on, and nobody learns what became of it.
        """
        doing = functools.partial(self._do, lambda connection: work(connection, *arguments, **options))
        return await asyncio.get_running_loop().run_in_executor(self._thread, doing)

    async def close(self) -> None:
        """End the session, and with it all that hangs on it."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._forget)
        self._thread.shutdown()

    def _do(self, work: Callable[[PostgresConnection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return work(self._connection)
        except BaseException as error:
            self._forget()
            if isinstance(error, psycopg.Error):
                raise database.translate(error, self._url) from error
            raise

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@contextmanager
def transaction(connection: PostgresConnection) -> Iterator[None]:
    """What is done within the block is kept together, on disk when it ends; or nothing of it."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(psycopg.Error, StoreUnavailableError):
            connection.rollback()
        raise
