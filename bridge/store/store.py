"""The store as the rest of the bridge sees it: awaitable operations over one database.

Writes go through the writer thread and are on disk when their future resolves; reads run in a
thread of their own on a connection that never writes, so neither blocks the event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from bridge.rules.alert import SpamAction
from bridge.store import bodies, database, live, logins, messages, outbox, people, repair, storms
from bridge.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from pathlib import Path

    from bridge.contract.publication import Publication
    from bridge.directory import Directory
    from bridge.kept import Kept, StoredBody
    from bridge.model import Envelope, Header
    from bridge.reconcile import Observed, Repair
    from bridge.store.bodies import Keeping
    from bridge.store.writer import Transaction

T = TypeVar("T")


class Store:
    """One open database. Create it inside the running loop, close it when done.

    `changed` is called on the loop after every commit. The live set is kept to the newest `count`
    unseen messages no older than `days`; header payloads to `payload_limit` bytes. `spam` is what
    becomes of mail that the filter marked.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_ms: Callable[[], int],
        count: int,
        days: float,
        payload_limit: int,
        changed: Callable[[], None],
        spam: SpamAction = SpamAction.MARK,
    ) -> None:
        self._path = path
        self._now_ms = now_ms
        self._days = days
        self._payload_limit = payload_limit
        self._spam = spam
        self._writer = Writer(
            path, now_ms=now_ms, settle=live.settle_live_sets(count=count, days=days), committed=changed
        )
        self._expired_until = live.horizon(now_ms(), days)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._connection: sqlite3.Connection | None = None

    async def close(self) -> None:
        """Commit what waits and let go of the file."""
        await self._writer.close()
        await asyncio.get_running_loop().run_in_executor(self._reading, self._disconnect)
        self._reading.shutdown()

    # --- writing ----------------------------------------------------------------------------------

    async def keep(self, envelope: Envelope, header: Header, *, message_id: str, list_id: str = "") -> tuple[Kept, ...]:
        """Keep a message for all its recipients; on return it is on disk. Raises StoreUnavailableError."""
        operation = messages.keep(
            envelope,
            header,
            message_id=message_id,
            list_id=list_id,
            spam=self._spam,
            payload_limit=self._payload_limit,
        )
        return await self._writer.submit(operation)

    async def set_seen(self, user_id: int, numbers: Sequence[int], *, seen: bool) -> int:
        """Mark messages seen or unseen; how many changed."""
        return await self._writer.submit(messages.set_seen(user_id, numbers, seen=seen))

    async def settle(self, publications: Sequence[Publication]) -> None:
        """Take rows out of the outbox whose state the broker acknowledged."""
        await self._writer.submit(lambda transaction: outbox.settle(transaction, publications))

    async def doubt(self, paths: Sequence[str] | None, *, limit: int) -> None:
        """Note that the broker may hold these paths, or the first `limit` messages and all texts that wait."""
        await self._writer.submit(lambda transaction: outbox.doubt(transaction, paths, limit=limit))

    async def repair(self, observed: Observed, *, dry_run: bool = False) -> Repair:
        """Compare what the broker holds with what it should hold, and mark every difference.

        Mail that comes in waits for the writer only when there is something to mark.
        """
        found = await self._read(lambda connection: repair.compare(connection, observed))
        if dry_run or not found.marked:
            return found
        return await self._writer.submit(lambda transaction: repair.mark(transaction, observed))

    async def expire(self) -> int:
        """Bring live sets and counts up to date that the course of time changed; of how many users."""
        since, until = self._expired_until, live.horizon(self._now_ms(), self._days)
        users = await self._read(lambda connection: live.crossed(connection, since=since, until=until))
        if users:
            await self._writer.submit(lambda transaction: transaction.changed.update(users))
        self._expired_until = until
        return len(users)

    async def close_storms(self) -> int:
        """Have the storms told whose window has passed; how many."""
        now_ms = self._now_ms()
        if not await self._read(lambda connection: storms.any_over(connection, now_ms)):
            return 0
        return await self._writer.submit(storms.close())

    async def refresh_all(self) -> None:
        """Work every live set out anew: after a start, when the settings or the clock may have changed.

        Marks only what differs: views of a live set that stayed the same are compared when the
        bridge looks at what the broker holds.
        """

        def operation(transaction: Transaction) -> None:
            transaction.doubtful.update(row[0] for row in transaction.connection.execute("SELECT user_id FROM user"))

        await self._writer.submit(operation)

    async def clear(self, keeping: Keeping) -> int:
        """Drop bodies and headers over their limits, a bounded number at once; how many went."""
        return await self._writer.submit(bodies.clear(keeping))

    async def discarded_files(self) -> set[str]:
        """Spool files that no message needs any more."""
        return await self._read(messages.discarded_files)

    async def forget_discarded(self, files: set[str]) -> None:
        """Note that these files are gone from the disk."""
        await self._writer.submit(messages.forget_discarded(files))

    async def grant(self, login: str, *, label: str, role: str) -> str:
        """A new password for a login."""
        return await self._writer.submit(lambda transaction: logins.grant(transaction, login, label=label, role=role))

    # --- reading ----------------------------------------------------------------------------------

    async def take_messages(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting messages and events, oldest mark first."""
        now_ms = self._now_ms()
        return await self._read(
            lambda connection: outbox.take_messages(connection, limit=limit, now_ms=now_ms, busy=busy)
        )

    async def take_views(self, *, limit: int, busy: Container[str]) -> list[Publication]:
        """Waiting views with their newest values."""
        now_ms, days = self._now_ms(), self._days
        return await self._read(
            lambda connection: outbox.take_views(connection, limit=limit, now_ms=now_ms, busy=busy, days=days)
        )

    async def waiting(self) -> int:
        """Rows in the outbox."""
        return await self._read(outbox.waiting)

    async def waiting_messages(self) -> int:
        """Rows in the outbox without the views, which new mail does not have to wait for."""
        return await self._read(outbox.waiting_messages)

    async def directory(self) -> Directory:
        """Users and addresses as they are now."""
        return await self._read(people.read_directory)

    async def revision(self) -> int:
        """A number that grows whenever users or addresses change, in whichever process."""
        return await self._read(_revision)

    async def live_count(self) -> int:
        """How many messages are live, over all users."""
        return await self._read(live.count_all)

    async def check_sender(self, name: str, password: str) -> bool:
        """Whether a sender may hand in mail with this password."""
        return await self._read(lambda connection: logins.check_sender(connection, name, password))

    async def recent(self, user_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Newest messages with their headers, seen or not."""
        return await self._read(lambda connection: messages.recent(connection, user_id, limit))

    async def users_with(self, count: int) -> dict[int, str]:
        """Id and name of all users who have at least so many messages."""
        return await self._read(lambda connection: messages.users_with(connection, count))

    async def body(self, user_id: int, number: int) -> StoredBody | None:
        """Where the bytes of a message are."""
        return await self._read(lambda connection: messages.body(connection, user_id, number))

    async def spooled_files(self) -> set[str]:
        """Spool files that are still needed."""
        return await self._read(messages.spooled_files)

    async def _read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._look, look)

    def _look(self, look: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = database.connect(self._path)
                self._connection.execute("PRAGMA query_only = ON")
            return look(self._connection)
        except sqlite3.Error as error:
            self._disconnect()
            raise database.translate(error, self._path) from error

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _revision(connection: sqlite3.Connection) -> int:
    value: int = connection.execute("SELECT value FROM revision WHERE name = 'people'").fetchone()[0]
    return value
