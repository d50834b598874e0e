"""A store for tests: a clock that they own, users, and mail that needs no parsing."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.box.box import Terms
from bridge.box.live_set import Retention
from bridge.model import Body, Envelope, Header, Recipient
from bridge.rules.spam import SpamAction
from bridge.store import amounts, backlog, live, messages, offline, people, places, registered
from bridge.store.adapters import Course, Mailbox, OutboxRows, StoredTruth
from bridge.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bridge.directory import User
    from bridge.kept import Committed, Kept

NOON_MS = 1_780_000_000_000
DAY_MS = 86_400_000
COUNT, DAYS = 100, 7.0
PAYLOAD_LIMIT = 512


class Clock:
    """Wall and monotonic time that move only when told."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self.now_ms = now_ms
        self.seconds = 0.0

    def wall(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        """Time goes by."""
        self.now_ms += int(seconds * 1000)
        self.seconds += seconds

    def step(self, milliseconds: int) -> None:
        """Somebody sets the wall clock."""
        self.now_ms += milliseconds


def add_user(path: Path | str, name: str, *addresses: str, clock: Clock | None = None) -> int:
    """A user, added as the command line does it; their id."""
    with offline.transaction(path, now_ms=(clock or Clock()).now_ms, count=COUNT, days=DAYS) as transaction:
        people.add_user(transaction, name, addresses or (f"{name}@example.org",))
        row = transaction.connection.execute("SELECT user_id FROM user WHERE name = ?", (name,)).fetchone()
        return int(row[0])


def rows(path: Path | str, statement: str, *values: object) -> list[Any]:
    """What a statement gives, on a connection of its own; it may change something."""
    if isinstance(path, Path):
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(statement, values).fetchall()
    with closing(places.of(path).connect()) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


class StoredDirectory:
    """The directory of a store, that keeps nobody in mind."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def known(self, address: str) -> Recipient | None:
        """Nobody is known at once."""

    async def resolve(self, address: str) -> Recipient:
        return (await self._store.read(registered.resolve, address)).found

    async def named(self, name: str) -> User | None:
        return (await self._store.read(registered.named, name)).found

    async def everybody(self) -> list[Recipient]:
        """All users, as recipients."""
        query = "SELECT user_id, name FROM user ORDER BY user_id"
        return [to(*row) for row in await self._store.read(lambda connection: connection.execute(query).fetchall())]


class Stored(Store):
    """A store with what tests do with one bound to it, by the names of the operations."""

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Clock,
        retention: Retention,
        changed: Callable[[Committed], None] = lambda _: None,
        spam: SpamAction = SpamAction.MARK,
    ) -> None:
        super().__init__(path, now_ms=clock.wall, retention=retention, changed=changed)
        mailbox = Mailbox(self, Terms(PAYLOAD_LIMIT, spam))
        self._mailbox = mailbox
        self.set_seen, self.unseen, self.recent, self.body = (
            mailbox.set_seen,
            mailbox.unseen,
            mailbox.recent,
            mailbox.body,
        )
        rows = OutboxRows(self, days=retention.days, now_ms=clock.wall)
        self.take_messages, self.take_views, self.settle, self.doubt = (
            rows.take_messages,
            rows.take_views,
            rows.settle,
            rows.doubt,
        )
        truth = StoredTruth(self)
        self.names, self.strangers = truth.names, truth.strangers
        self.waiting_messages, self.repair = truth.waiting_messages, truth.repair
        self.directory = StoredDirectory(self)
        self.course = Course(self, days=retention.days, now_ms=clock.wall)
        self.expire, self.close_storms = self.course.expire, self.course.close_storms
        self.live_count = self.reading(amounts.live_messages)
        self.waiting = self.reading(backlog.waiting)
        self.discarded_files = self.reading(messages.discarded_files)

    async def refresh_all(self) -> None:
        """Have every live set worked out anew."""
        await self.write(live.review_all, self.retention)

    async def keep(self, envelope: Envelope, header: Header, *, message_id: str, list_id: str = "") -> tuple[Kept, ...]:
        """As the intake has it kept."""
        return await self._mailbox.keep(envelope, header, message_id=message_id, list_id=list_id)


@asynccontextmanager
async def storing(
    path: Path | str,
    *,
    clock: Clock | None = None,
    count: int = COUNT,
    days: float = DAYS,
    changed: Callable[[Committed], None] = lambda _: None,
    spam: SpamAction = SpamAction.MARK,
) -> AsyncIterator[Stored]:
    """An open store on `path`, closed behind the block."""
    places.of(path).prepare()
    store = Stored(path, clock=clock or Clock(), retention=Retention(count, days), changed=changed, spam=spam)
    try:
        yield store
    finally:
        await store.close()


def told(path: Path | str, story: Callable[[Stored], Awaitable[Any]], **options: Any) -> Any:
    """Run a story with a store of its own; what it returns."""

    async def run() -> Any:
        async with storing(path, **options) as store:
            return await story(store)

    return asyncio.run(run())


def mail(*recipients: Recipient, text: str = "hello", size: int | None = None, spooled: str | None = None) -> Envelope:
    """An envelope whose content is `text`."""
    raw = text.encode()
    size = len(raw) if size is None else size
    return Envelope("sender@example.net", recipients, Body(raw, size, hashlib.sha256(raw).digest(), spooled))


def header(subject: str = "s", size: int = 5) -> Header:
    return Header(0, "Bob", "bob@example.net", subject, "snippet", size)


def to(user_id: int, user: str, address: str = "", detail: str = "") -> Recipient:
    return Recipient(address or f"{user}@example.org", user_id, user, detail)
