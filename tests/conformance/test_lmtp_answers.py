"""RFC 2033 §4.2 with the real intake and the real store: each recipient has a fate and a reply of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bridge.intake import Intake
from bridge.spool import Spool
from bridge.store import offline, people
from tests.support.ingress import Wire, listening
from tests.support.stored import COUNT, DAYS, Clock, add_user, storing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.store.store import Store

LARGE = b"Subject: x\r\n\r\n" + b"x" * 400_000 + b"\r\n"


class Answers:
    """A conversation in LMTP, in front of a store."""

    def __init__(self, wire: Wire, store: Store, database: Path, full: set[int], users: dict[str, int]) -> None:
        self.wire, self.store, self.database, self.full, self.users = wire, store, database, full, users

    async def recipients(self, *names: str) -> list[str]:
        """The codes of the replies to RCPT."""
        await self.wire.ask("MAIL FROM:<sender@example.net>")
        return [(await self.wire.ask(f"RCPT TO:<{name}@example.org>"))[:9] for name in names]

    async def data(self, raw: bytes, count: int) -> list[str]:
        """The codes of so many replies after the data."""
        await self.wire.ask("DATA")
        await self.wire.send(raw + b".\r\n")
        return [(await self.wire.reply())[:9] for _ in range(count)]

    def kept(self, name: str) -> int:
        """How many messages a user has."""
        with offline.reading(self.database) as connection:
            return int(
                connection.execute("SELECT count(*) FROM message WHERE user_id = ?", (self.users[name],)).fetchone()[0]
            )


@asynccontextmanager
async def answers(directory: Path) -> AsyncIterator[Answers]:
    database = directory / "postbell.db"
    users = {name: add_user(database, name) for name in ("alice", "bob", "carol")}
    full: set[int] = set()
    async with storing(database) as store:
        spool = Spool(directory / "spool")
        intake = Intake(
            store=store,
            directory=store.directory,
            discard=spool.discard,
            full=lambda: frozenset(full),
        )
        async with listening(directory, intake=intake) as running:
            wire = await (await running.dial("lmtp")).greet("LHLO c")
            yield Answers(wire, store, database, full, users)
            await wire.close()
        spool.close()


def spooled(directory: Path) -> int:
    return len(list((directory / "spool").iterdir()))


@pytest.mark.parametrize("raw", [b"Subject: x\r\n\r\nx\r\n", LARGE], ids=["small", "spooled"])
def test_unknown_full_and_removed_recipients_do_not_cost_the_others_their_mail(tmp_path, raw):
    async def story() -> None:
        async with answers(tmp_path) as lmtp:
            lmtp.full.add(lmtp.users["bob"])
            said = await lmtp.recipients("alice", "nobody", "bob", "carol", "alice")
            assert said == ["250 2.1.5", "550 5.1.1", "452 4.2.2", "250 2.1.5", "250 2.1.5"]
            with offline.transaction(lmtp.database, now_ms=Clock().now_ms, count=COUNT, days=DAYS) as transaction:
                people.remove_user(transaction, "carol")  # after RCPT, before DATA
            assert await lmtp.data(raw, 3) == ["250 2.0.0", "550 5.1.1", "250 2.0.0"]
            assert (lmtp.kept("alice"), lmtp.kept("bob")) == (1, 0)

    asyncio.run(story())
    assert spooled(tmp_path) == (raw is LARGE)


@pytest.mark.parametrize("others", [["alice"], []], ids=["with another", "alone"])
def test_a_mailbox_that_fills_up_between_rcpt_and_data_is_answered_for_itself(tmp_path, others):
    async def story() -> None:
        async with answers(tmp_path) as lmtp:
            await lmtp.recipients("bob", *others)
            lmtp.full.add(lmtp.users["bob"])
            assert await lmtp.data(LARGE, 1 + len(others)) == ["452 4.2.2", *["250 2.0.0" for _ in others]]
            lmtp.full.clear()
            await lmtp.recipients("bob")
            assert await lmtp.data(LARGE, 1) == ["250 2.0.0"]

    asyncio.run(story())
    assert spooled(tmp_path) == 1 + len(others)


def test_a_store_that_fails_is_answered_for_each_and_nothing_is_kept(tmp_path):
    async def story() -> None:
        async with answers(tmp_path) as lmtp:
            blocker = sqlite3.connect(lmtp.database)
            blocker.execute(
                "CREATE TRIGGER fault BEFORE INSERT ON message BEGIN SELECT raise(ABORT, 'a fault of the disk'); END"
            )
            await lmtp.recipients("alice", "bob")
            assert await lmtp.data(LARGE, 2) == ["451 4.3.0", "451 4.3.0"]
            blocker.execute("DROP TRIGGER fault")
            blocker.close()
            await lmtp.recipients("alice", "bob")
            assert await lmtp.data(LARGE, 2) == ["250 2.0.0", "250 2.0.0"]
            assert (lmtp.kept("alice"), lmtp.kept("bob")) == (1, 1)

    asyncio.run(story())
    assert spooled(tmp_path) == 1
