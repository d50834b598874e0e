"""Storms: messages beyond a user's rate, gathered while the window lasts and then told as one.

All of a storm is in the database, so a restart neither forgets one nor tells it twice. A user has
at most one that is open; when its window has passed it is closed, and that marks its event and the
`text` view, and has devices rung once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model import Storm
from bridge.store import marks, notifications

if TYPE_CHECKING:
    from bridge.model import Header
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


REMEMBERED_MS = 3_600_000
"""How long a storm that was told stays known, unless it is the user's last."""

# A clock that was set back has not reached the window's start yet: then it is over as well.
_OVER = "open = 1 AND (until_ms <= :now_ms OR since_ms > :now_ms)"


def gather(transaction: Transaction, user_id: int, number: int, header: Header, *, window_ms: int) -> None:
    """Count a message in with the user's open storm; without one it opens the next."""
    connection, now_ms = transaction.connection, transaction.now_ms
    close(transaction, user_id)
    sender = {"name": header.from_name, "address": header.from_address}
    grown = connection.execute(
        "UPDATE storm SET more = more + 1, last = :number,"
        " from_name = CASE WHEN from_name = :name THEN from_name END,"
        " from_address = CASE WHEN from_address = :address THEN from_address END"
        " WHERE user_id = :user_id AND open = 1",
        {"user_id": user_id, "number": number, **sender},
    )
    if grown.rowcount:
        return
    connection.execute(
        "DELETE FROM storm WHERE user_id = ? AND open = 0 AND until_ms <= ?", (user_id, now_ms - REMEMBERED_MS)
    )
    connection.execute(
        "INSERT INTO storm (user_id, first, last, since_ms, until_ms, from_name, from_address)"
        " VALUES (:user_id, :number, :number, :now_ms, :until_ms, :name, :address)",
        {"user_id": user_id, "number": number, "now_ms": now_ms, "until_ms": now_ms + window_ms, **sender},
    )


def any_over(connection: StoreConnection, now_ms: int) -> bool:
    """Whether a storm waits to be told."""
    found = connection.execute(f"SELECT 1 FROM storm WHERE {_OVER} LIMIT 1", {"now_ms": now_ms})  # noqa: S608 - fixed
    return found.fetchone() is not None


def close(transaction: Transaction, user_id: int | None = None) -> int:
    """Close the storms whose window has passed, of one user or of all; how many."""
    connection = transaction.connection
    over = connection.execute(
        f"SELECT user_id, name, first FROM storm JOIN user USING (user_id)"  # noqa: S608 - fixed text
        f" WHERE {_OVER} AND (CAST(:user_id AS BIGINT) IS NULL OR user_id = :user_id)",
        {"now_ms": transaction.now_ms, "user_id": user_id},
    ).fetchall()
    for owner, name, first in over:
        connection.execute("UPDATE storm SET open = 0 WHERE user_id = ? AND first = ?", (owner, first))
        marks.event(transaction, owner, name, first)
        marks.views(transaction, owner, name, ["text"])
        notifications.note(transaction, owner, first)
    return len(over)


def told(connection: StoreConnection, user_id: int, *, after: int) -> Storm | None:
    """The user's last storm, if it came after a message and some of it is still live."""
    row = connection.execute(
        "SELECT more, from_name, from_address FROM storm s WHERE user_id = ?1 AND open = 0 AND first > ?2 AND EXISTS"
        " (SELECT 1 FROM message WHERE user_id = ?1 AND live = 1 AND number BETWEEN s.first AND s.last)"
        " ORDER BY first DESC LIMIT 1",
        (user_id, after),
    ).fetchone()
    return None if row is None else Storm(*row)
