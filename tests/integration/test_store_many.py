"""Where users are many: a start and what is done from time to time cost what changed, and what is counted is right."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from bridge.box.live_set import Retention, horizon
from bridge.contract import ids
from bridge.store import adapters, amounts, bodies, database, live, offline, people
from bridge.store.bodies import Keeping
from bridge.store.writer import Transaction
from tests.support.stored import COUNT, DAY_MS, DAYS, NOON_MS, Clock, header, mail, storing, to

USERS, MAILS = 400, 3
RETENTION = Retention(COUNT, DAYS)
ROOM = Keeping(days=365, quota=10**9, total=10**12, headers_days=365)


@pytest.fixture
def path(tmp_path):
    """Many users with a few live mails each, of 1, 2 and 3 days ago; the last user's first has a body of its own."""
    path = tmp_path / "postbell.db"
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        for user in range(USERS):
            people.add_user(transaction, f"u{user}", [f"u{user}@example.org"])
        connection = transaction.connection
        for number in range(MAILS):
            connection.execute(
                "INSERT INTO body (received_ms, size, raw) VALUES (?, ?, x'00')", (NOON_MS, 1000 * (number + 1))
            )
            connection.execute("UPDATE stored SET bytes = bytes + ?", (1000 * (number + 1),))
            connection.execute("UPDATE user SET stored = stored + ?", (1000 * (number + 1),))
            connection.executemany(
                "INSERT INTO message (user_id, number, header, message_id, digest, size, body_id, live)"
                " VALUES (?, ?, x'00', '', x'00', ?, ?, 1)",
                [
                    (user + 1, ids.at(NOON_MS - (number + 1) * DAY_MS), 1000 * (number + 1), number + 1)
                    for user in range(USERS)
                ],
            )
        live.review_all(transaction, RETENTION)
    return path


class Work:
    """A transaction with the steps that SQLite took for it, in thousands: what does not depend on the machine."""

    def __init__(self, path, now_ms=NOON_MS):
        self.steps = 0
        self._path, self._now_ms = path, now_ms

    def __enter__(self):
        self._connection = database.connect(self._path)
        self._connection.set_progress_handler(self._step, 100)
        self._connection.execute("BEGIN IMMEDIATE")
        self.transaction = Transaction(self._connection, self._now_ms)
        return self

    def _step(self):
        self.steps += 100

    def __exit__(self, *_):
        self._connection.execute("COMMIT")
        self._connection.close()


def counted(path):
    """What is counted of users and bodies, and what they have."""
    with closing(sqlite3.connect(path)) as connection:
        told = connection.execute("SELECT user_id, stored FROM user ORDER BY user_id").fetchall()
        told.append(connection.execute("SELECT bytes FROM stored").fetchone())
        true = connection.execute(
            "SELECT u.user_id, coalesce(sum(b.size), 0) FROM user u LEFT JOIN message m USING (user_id)"
            " LEFT JOIN body b USING (body_id) GROUP BY u.user_id ORDER BY u.user_id"
        ).fetchall()
        true.append(connection.execute("SELECT coalesce(sum(size), 0) FROM body").fetchone())
    return told, true


def reviewed(path, *, now_ms=NOON_MS, retention=RETENTION):
    """The users whose live sets are worked out anew by a start, and in how many steps of SQLite."""
    with Work(path, now_ms) as work:
        live.take_up(work.transaction, retention)
        live.bring_up_to_date(work.transaction, retention)
    return work.transaction.doubtful, work.steps


def test_a_start_works_nothing_out_that_is_right(path):
    users, steps = reviewed(path)
    assert users == set()
    assert steps < 60 * USERS


def test_a_start_with_other_settings_works_all_out_anew(path):
    users, _ = reviewed(path, retention=Retention(2, DAYS))
    assert len(users) == USERS
    with offline.reading(path) as connection:
        assert amounts.live_messages(connection) == 2 * USERS
    assert reviewed(path, retention=Retention(2, DAYS))[0] == set()
    assert len(reviewed(path, retention=Retention(2, DAYS + 1))[0]) == USERS


def test_a_start_finds_what_became_too_old_meanwhile_and_comes_back_with_the_clock(path):
    later = NOON_MS + int((DAYS - 1.5) * DAY_MS)
    users, _ = reviewed(path, now_ms=later)
    assert len(users) == USERS
    with offline.reading(path) as connection:
        assert amounts.live_messages(connection) == USERS
    assert reviewed(path, now_ms=later)[0] == set()
    assert len(reviewed(path)[0]) == USERS
    with offline.reading(path) as connection:
        assert amounts.live_messages(connection) == MAILS * USERS


def test_what_expired_is_not_looked_at_again_by_the_next_start(path):
    later = NOON_MS + int((DAYS - 1.5) * DAY_MS)
    until = horizon(later, DAYS)
    with Work(path, later) as work:
        live.expire(work.transaction, range(1, USERS + 1), until=until)
        live.bring_up_to_date(work.transaction, RETENTION)
    assert reviewed(path, now_ms=later)[0] == set()


def test_a_command_with_other_settings_has_the_next_start_look_at_all(path):
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        live.renew(transaction, [1])
    assert reviewed(path)[0] == set()
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT + 1, days=DAYS) as transaction:
        people.add_user(transaction, "carol", ["carol@example.org"])
    assert reviewed(path)[0] == set(), "it worked no live set out"
    with offline.transaction(path, now_ms=NOON_MS, count=1, days=DAYS) as transaction:
        live.renew(transaction, [1])
    assert len(reviewed(path)[0]) == USERS + 1


def test_what_is_looked_at_from_time_to_time_costs_no_walk_through_messages(path):
    """Each user's row may be looked at, and none of the rows of messages and bodies."""
    with Work(path) as work:
        connection = work.transaction.connection
        until = ids.at(NOON_MS - 30 * DAY_MS)
        assert live.crossed_of_some(connection, since=until - 5000, until=until, behind=0, users=50) == ([], 50)
        assert work.steps < 50 * 60
        before = work.steps
        assert bodies.over_quota(connection, ROOM.quota) == []
        assert bodies.clear(work.transaction, ROOM) == 0
        assert work.steps - before < 10 * USERS


def test_of_very_many_users_some_are_looked_at_a_time_and_nobody_is_left_out(path, monkeypatch):
    monkeypatch.setattr(adapters, "USERS_AT_ONCE", 150)
    clock = Clock()

    async def story():
        async with storing(path, clock=clock) as store:
            assert await store.expire() == 0, "a look that begins before"
            clock.now_ms += int((DAYS - 1.5) * DAY_MS)
            assert [await store.expire() for _ in range(5)] == [0, 0, 150, 150, 100]
            assert await store.live_count() == USERS
            assert [await store.expire() for _ in range(3)] == [0, 0, 0]

    asyncio.run(story())
    assert reviewed(path, now_ms=clock.now_ms)[0] == set(range(1, USERS + 1)), "a round that was not told to its end"
    assert reviewed(path, now_ms=clock.now_ms)[0] == set()


def test_few_users_are_looked_at_at_once_and_the_next_start_has_nothing_to_do(path):
    clock = Clock()

    async def story():
        async with storing(path, clock=clock) as store:
            clock.now_ms += int((DAYS - 1.5) * DAY_MS)
            assert [await store.expire(), await store.expire()] == [USERS, 0]

    asyncio.run(story())
    assert reviewed(path, now_ms=clock.now_ms)[0] == set()


def test_what_is_kept_is_counted(path):
    async def story():
        async with storing(path) as store:
            await store.keep(mail(to(1, "u0"), to(2, "u1"), text="for both"), header(), message_id="<1@x>")
            await store.keep(mail(to(1, "u0"), text="for both"), header(), message_id="<1@x>")  # a copy
            await store.keep(mail(to(2, "u1"), text="for one alone"), header(), message_id="<2@x>")

    asyncio.run(story())
    told, true = counted(path)
    assert told == true
    assert told[0][1] > 6000


def test_bytes_are_counted_through_all_that_happens_to_bodies(path):
    told, true = counted(path)
    assert told == true
    assert told[0] == (1, 6000)
    limits = [
        Keeping(days=365, quota=4000, total=10**12, headers_days=365),
        Keeping(days=365, quota=10**9, total=2500, headers_days=365),
        Keeping(days=-1, quota=10**9, total=10**12, headers_days=365),
    ]
    for keeping in limits:
        with Work(path) as work:
            over = bodies.over_quota(work.transaction.connection, keeping.quota)
            assert bodies.clear(work.transaction, keeping, over=over)
        told, true = counted(path)
        assert told == true, keeping


def test_a_user_s_bodies_go_with_the_user_unless_others_have_them(path):
    with offline.transaction(path, now_ms=NOON_MS, count=COUNT, days=DAYS) as transaction:
        transaction.connection.execute("INSERT INTO body (received_ms, size, raw) VALUES (?, 7, x'00')", (NOON_MS,))
        transaction.connection.execute("UPDATE message SET body_id = NULL WHERE user_id = 5 AND body_id = 1")
        transaction.connection.execute("UPDATE message SET body_id = 4, size = 7 WHERE user_id = 5 AND body_id IS NULL")
        transaction.connection.execute("UPDATE user SET stored = stored + 7 WHERE user_id = 5")
        transaction.connection.execute("UPDATE stored SET bytes = bytes + 7")
    with Work(path) as work:
        assert people.remove_user(work.transaction, "u4").bodies == 1
        assert work.steps < 50 * MAILS * 100
    told, true = counted(path)
    assert told == true
    assert told[-1] == (6000,)
