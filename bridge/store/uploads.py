"""Large bodies on their way into a database, one at a time: before the row that names one is written."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bridge.errors import StoreUnavailableError
from bridge.store import parts
from bridge.store.postgres import PostgresEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Uploads:
    """Puts files into the database at a URL, with a connection of its own. Close it when done.

    `read` gives a file by its name, None when it is gone; `node` is whose they are.
    """

    def __init__(
        self,
        url: str,
        *,
        read: Callable[[str], Awaitable[bytes | None]],
        now_ms: Callable[[], int],
        node: str = "",
    ) -> None:
        self._engine = PostgresEngine(url, node=node)
        self._read = read
        self._now_ms = now_ms
        self._one = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-uploads")
        self._connection: Any = None

    async def put(self, name: str) -> None:
        """Have the parts of a file in the database; raises StoreUnavailableError."""
        async with self._one:  # no more than one is in memory
            data = await self._read(name)
            if data is None:
                raise StoreUnavailableError(f"the file {name} of a large message is gone")
            await asyncio.get_running_loop().run_in_executor(self._thread, self._put, name, data)

    async def close(self) -> None:
        """Finish what is under way and let go of the database."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    def _put(self, name: str, data: bytes) -> None:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            pieces = (data[at : at + parts.PART] for at in range(0, len(data), parts.PART))
            parts.put(self._connection, name, pieces, now_ms=self._now_ms())
        except Exception as error:
            self._disconnect()
            typed = self._engine.translate(error)
            if typed is None:
                raise
            raise typed from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
