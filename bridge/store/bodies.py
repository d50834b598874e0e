"""How long raw messages and old headers are kept: by age, by each user's quota, and over all.

Bodies go oldest first and long before their headers. Nothing here touches a live message's
header, and whatever the broker may still hold is tombstoned by the outbox before its row goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.box.live_set import horizon
from bridge.store import marks
from bridge.store.portions import ALL

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction

ROWS_AT_ONCE = 100
"""A bound on one clearing transaction, so that mail does not wait behind it: what is dropped is overwritten."""

OLD_BODIES = "DELETE FROM body WHERE body_id IN (SELECT body_id FROM body WHERE received_ms < ? LIMIT ?)"
OVER_QUOTA = "SELECT user_id FROM user WHERE user_id > ? AND user_id <= ? AND stored > ?"
STORED_OF = "SELECT stored FROM user WHERE user_id = ?"
OLDEST = (
    "SELECT m.number, b.body_id, b.size FROM message m JOIN body b USING (body_id) WHERE m.user_id = ?"
    " ORDER BY m.number LIMIT ?"
)
STORED = "SELECT sum(bytes) FROM stored"
OLD_HEADERS = """
SELECT m.user_id, m.number, m.waits & 1, u.name FROM message m INDEXED BY message_done CROSS JOIN user u USING (user_id)
WHERE m.number < ? AND m.live = 0 AND m.held = 0 AND m.body_id IS NULL LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The limits: days for bodies and headers, bytes per user and over all."""

    days: float
    quota: int
    total: int
    headers_days: float


def over_quota(connection: StoreConnection, quota: int, *, among: tuple[int, int] = ALL) -> list[int]:
    """The users who hold more than a quota, of a portion of all (`portions.py`)."""
    return [user_id for (user_id,) in connection.execute(OVER_QUOTA, (*among, quota))]


def clear(transaction: Transaction, keeping: Keeping, *, over: Collection[int] = ()) -> int:
    """Drop what is over a limit, a bounded number at once; how many rows went (0: all is well).

    Who is over the quota was found before (`over_quota`), and is looked at again.
    """
    dropped = _drop_old_bodies(transaction, keeping.days)
    dropped += sum(_drop_over_quota(transaction, user_id, keeping.quota) for user_id in over)
    dropped += _drop_over_total(transaction, keeping.total)
    dropped += _drop_old_headers(transaction, keeping.headers_days)
    return dropped


def _drop_old_bodies(transaction: Transaction, days: float) -> int:
    return transaction.connection.execute(
        OLD_BODIES, (transaction.now_ms - int(days * 86_400_000), ROWS_AT_ONCE)
    ).rowcount


def _drop_over_quota(transaction: Transaction, user_id: int, quota: int) -> int:
    """Let go of the oldest bodies of a user who holds more than the quota; others may keep theirs."""
    connection = transaction.connection
    row = connection.execute(STORED_OF, (user_id,)).fetchone()
    excess = 0 if row is None else row[0] - quota
    dropped = 0
    oldest = connection.execute(OLDEST, (user_id, ROWS_AT_ONCE)).fetchall() if excess > 0 else []
    for number, body_id, size in oldest:  # one body may lie in several users' quotas
        if excess <= 0:
            break
        _let_go(transaction, user_id, number, body_id)
        excess -= size
        dropped += 1
    return dropped


def _let_go(transaction: Transaction, user_id: int, number: int, body_id: int) -> None:
    """Take a body from one message, and drop it when no other user's message has it."""
    transaction.connection.execute(
        "UPDATE message SET body_id = NULL WHERE user_id = ? AND number = ?", (user_id, number)
    )
    transaction.connection.execute(
        "DELETE FROM body WHERE body_id = ?1 AND NOT EXISTS (SELECT 1 FROM message WHERE body_id = ?1)", (body_id,)
    )


def _drop_over_total(transaction: Transaction, total: int) -> int:
    excess = transaction.connection.execute(STORED).fetchone()[0] - total
    dropped = 0
    if excess <= 0:
        return 0
    oldest = transaction.connection.execute(
        "SELECT body_id, size FROM body ORDER BY body_id LIMIT ?", (ROWS_AT_ONCE,)
    ).fetchall()
    for body_id, size in oldest:
        if excess <= 0:
            break
        transaction.connection.execute("DELETE FROM body WHERE body_id = ?", (body_id,))
        excess -= size
        dropped += 1
    return dropped


def _drop_old_headers(transaction: Transaction, days: float) -> int:
    """Forget headers that are old and that the broker surely does not hold."""
    connection = transaction.connection
    old = connection.execute(OLD_HEADERS, (horizon(transaction.now_ms, days), ROWS_AT_ONCE)).fetchall()
    for user_id, number, waits, name in old:
        if waits:  # it may be under way: what clears it then must not go with it
            marks.gone(transaction, user_id, name, [number])
    connection.executemany("DELETE FROM message WHERE user_id = ? AND number = ?", [row[:2] for row in old])
    connection.executemany("UPDATE user SET kept = kept - 1 WHERE user_id = ?", [row[:1] for row in old])
    return len(old)
