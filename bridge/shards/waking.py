"""Being woken by other bridges at the same database, by NOTIFY: something waits for a shard, or leases became free.

What is told is worth a moment and no more: who misses it finds the same at the next beat.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog

from bridge.errors import StoreUnavailableError
from bridge.shards import asking, leases

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.postgres.connection import PostgresConnection

AGAIN_S = 1.0


class Waking:
    """Listens on a session of its own. `marked` is called with the shards for which something waits, all when None.

    `channel` is where that is told, as numbers with commas between them; `freed` is called when leases became free, and
    `asked` with what somebody asks of all bridges.
    """

    def __init__(
        self,
        connect: Callable[[], PostgresConnection],
        *,
        channel: str,
        marked: Callable[[frozenset[int] | None], None],
        freed: Callable[[], None],
        asked: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._marked = marked
        self._freed = freed
        self._asked = asked
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Listen until cancelled, on a new session whenever one ended."""
        while True:
            try:
                connection = await asyncio.to_thread(self._listen)
            except (StoreUnavailableError, psycopg.Error) as error:
                self._log.warning("waking_waits_for_store", reason=str(error).strip())
            else:
                try:
                    await self._hear(connection)
                except psycopg.Error as error:
                    self._log.warning("waking_waits_for_store", reason=str(error).strip())
                finally:
                    connection.close()
            await asyncio.sleep(AGAIN_S)

    def _listen(self) -> PostgresConnection:
        connection = self._connect()
        for channel in (self._channel, leases.CHANNEL, asking.ASKED):
            connection.execute(f"LISTEN {channel}")
        return connection

    async def _hear(self, connection: PostgresConnection) -> None:
        loop, readable, descriptor = asyncio.get_running_loop(), asyncio.Event(), connection.fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            self._marked(None)  # what was told meanwhile was told to nobody
            self._freed()
            while True:
                await readable.wait()
                readable.clear()
                self._take(connection)
        finally:
            loop.remove_reader(descriptor)

    def _take(self, connection: PostgresConnection) -> None:
        shards: set[int] = set()
        for told in connection.raw.notifies(timeout=0):
            if told.channel == self._channel:
                shards.update(int(number) for number in told.payload.split(",") if number.isdecimal())
            elif told.channel == asking.ASKED:
                self._asked(told.payload)
            else:
                self._freed()
        if shards:
            self._marked(frozenset(shards))
