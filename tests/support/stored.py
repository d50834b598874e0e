"""A store for tests: a clock that they own, users, and mail that needs no parsing."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bridge.model import Body, Envelope, Header, Recipient
from bridge.rules.alert import SpamAction
from bridge.store import database, offline, people
from bridge.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

NOON_MS = 1_780_000_000_000
DAY_MS = 86_400_000
COUNT, DAYS = 100, 7.0


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


def add_user(path: Path, name: str, *addresses: str, clock: Clock | None = None) -> int:
    """A user, added as the command line does it; their id."""
    with offline.transaction(path, now_ms=(clock or Clock()).now_ms, count=COUNT, days=DAYS) as transaction:
        people.add_user(transaction, name, addresses or (f"{name}@example.org",))
        row = transaction.connection.execute("SELECT user_id FROM user WHERE name = ?", (name,)).fetchone()
        return int(row[0])


@asynccontextmanager
async def storing(
    path: Path,
    *,
    clock: Clock | None = None,
    count: int = COUNT,
    days: float = DAYS,
    changed: Callable[[], None] = lambda: None,
    spam: SpamAction = SpamAction.MARK,
) -> AsyncIterator[Store]:
    """An open store on `path`, closed behind the block."""
    database.prepare(path)
    store = Store(
        path,
        now_ms=(clock or Clock()).wall,
        count=count,
        days=days,
        payload_limit=512,
        changed=changed,
        spam=spam,
    )
    try:
        yield store
    finally:
        await store.close()


def told(path: Path, story: Callable[[Store], Awaitable[Any]], **options: Any) -> Any:
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
