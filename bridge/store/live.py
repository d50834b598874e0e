"""The live set of a user: the newest `count` unseen messages that are no older than `days`.

It follows from the messages, the moment and these two settings alone; the column `live` is its
value as of the last transaction that touched the user. What enters or leaves it is marked in the
outbox in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import ids, topics
from bridge.contract.expiry import DAY_MS
from bridge.store import marks, views

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from bridge.store.writer import Transaction


def horizon(now_ms: int, days: float) -> int:
    """The smallest number that is young enough."""
    return ids.at(int(now_ms - days * DAY_MS))


@dataclass(frozen=True, slots=True)
class Retention:
    """What the live set of a user is: the newest `count` unseen messages no older than `days`."""

    count: int
    days: float


def bring_up_to_date(transaction: Transaction, retention: Retention) -> None:
    """Before each COMMIT: the live sets of all users whom the transaction touched, and the marks of what moved."""
    touched = transaction.grown | transaction.changed
    for user_id in touched | transaction.doubtful:
        if user_id in transaction.changed or user_id in transaction.doubtful:
            moved = refresh(transaction, user_id, retention)
        else:
            moved = trim(transaction, user_id, retention)
        if moved or user_id in touched:
            _mark_views(transaction.connection, user_id)


def renew(transaction: Transaction, users: Iterable[int]) -> None:
    """Have the live sets of these users worked out anew, and their views marked."""
    transaction.changed.update(users)


def review_all(transaction: Transaction) -> None:
    """Have every live set worked out anew: after a start, when the settings or the clock may have changed.

    Marks only what differs: views of a live set that stayed the same are compared when the bridge
    looks at what the broker holds.
    """
    transaction.doubtful.update(row[0] for row in transaction.connection.execute("SELECT user_id FROM user"))


def refresh(transaction: Transaction, user_id: int, retention: Retention) -> int:
    """Work the live set out anew and mark what differs; how many messages that were."""
    connection = transaction.connection
    wanted = {
        row[0]
        for row in connection.execute(
            "SELECT number FROM message WHERE user_id = ? AND seen = 0 AND number >= ? ORDER BY number DESC LIMIT ?",
            (user_id, horizon(transaction.now_ms, retention.days), retention.count),
        )
    }
    current = set(live_numbers(connection, user_id))
    return _change(connection, user_id, leaves=current - wanted, enters=wanted - current)


def trim(transaction: Transaction, user_id: int, retention: Retention) -> int:
    """The short way after new mail, which always enters: what is too old leaves, and what is pushed out."""
    connection = transaction.connection
    live = connection.execute("SELECT count(*) FROM message WHERE user_id = ? AND live = 1", (user_id,)).fetchone()[0]
    leaves = connection.execute(
        "SELECT number FROM message WHERE user_id = ?1 AND live = 1 AND number < ?2 UNION SELECT * FROM"
        " (SELECT number FROM message WHERE user_id = ?1 AND live = 1 ORDER BY number LIMIT max(0, ?3))",
        (user_id, horizon(transaction.now_ms, retention.days), live - retention.count),
    )
    return _change(connection, user_id, leaves={row[0] for row in leaves}, enters=set())


def _change(connection: sqlite3.Connection, user_id: int, *, leaves: set[int], enters: set[int]) -> int:
    name = _name(connection, user_id)
    if name is None or not (leaves or enters):
        return 0
    changes = [(0, user_id, number) for number in leaves] + [(1, user_id, number) for number in enters]
    connection.executemany("UPDATE message SET live = ? WHERE user_id = ? AND number = ?", changes)
    marks.messages(connection, user_id, name, sorted(leaves | enters))
    return len(changes)


def _mark_views(connection: sqlite3.Connection, user_id: int) -> None:
    """Mark the digest and the views that are on: one that is off was cleared, and is not cleared again at each mail."""
    row = connection.execute("SELECT name, views FROM user WHERE user_id = ?", (user_id,)).fetchone()
    if row is not None:
        switched_on = views.parse(row[1]) | {"box"}
        for view in topics.STATE_VIEWS:
            if view in switched_on:
                marks.view(connection, user_id, row[0], view)


def _name(connection: sqlite3.Connection, user_id: int) -> str | None:
    row = connection.execute("SELECT name FROM user WHERE user_id = ?", (user_id,)).fetchone()
    return None if row is None else row[0]


# --- reading --------------------------------------------------------------------------------------


def live_numbers(connection: sqlite3.Connection, user_id: int) -> list[int]:
    """The live set, oldest first."""
    rows = connection.execute("SELECT number FROM message WHERE user_id = ? AND live = 1 ORDER BY number", (user_id,))
    return [row[0] for row in rows]


def newest_live(connection: sqlite3.Connection, user_id: int, *, ringing: bool = False) -> tuple[int, bytes] | None:
    """Number and header payload of the newest live message, or of the newest that is not silent."""
    row: tuple[int, bytes] | None = connection.execute(
        "SELECT number, header FROM message WHERE user_id = ? AND live = 1 AND silent <= ?"
        " ORDER BY number DESC LIMIT 1",
        (user_id, 0 if ringing else 1),
    ).fetchone()
    return row


def unread(connection: sqlite3.Connection, user_id: int, *, now_ms: int, days: float) -> int:
    """How many messages within the horizon nobody has seen, in the live set or not."""
    count: int = connection.execute(
        "SELECT count(*) FROM message WHERE user_id = ? AND seen = 0 AND number >= ?",
        (user_id, horizon(now_ms, days)),
    ).fetchone()[0]
    return count


def crossed(connection: sqlite3.Connection, *, since: int, until: int) -> list[int]:
    """Users who have an unseen message that the horizon passed, in either direction, on its way between two numbers."""
    rows = connection.execute(
        "SELECT user_id FROM user WHERE EXISTS (SELECT 1 FROM message"
        " WHERE message.user_id = user.user_id AND seen = 0 AND number >= ? AND number < ?)",
        (min(since, until), max(since, until)),
    )
    return [row[0] for row in rows]


def count_all(connection: sqlite3.Connection) -> int:
    """How many messages are live, over all users."""
    count: int = connection.execute("SELECT count(*) FROM message WHERE live = 1").fetchone()[0]
    return count
