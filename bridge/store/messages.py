"""Operations on messages: keep, see, list, read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.box import keeping
from bridge.kept import StoredBody
from bridge.store import boxes
from bridge.store.portions import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.box.box import Mail, Terms
    from bridge.box.live_set import Retention
    from bridge.kept import Kept
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


SPOOLED = "SELECT file FROM body INDEXED BY body_file WHERE file IS NOT NULL"


def keep(
    transaction: Transaction, mails: Sequence[Mail], *, terms: Terms, retention: Retention
) -> list[tuple[Kept, ...]]:
    """Keep each mail for each of its users: messages, bodies, marks, all or nothing.

    The result is for each mail one Kept per user in the order of first appearance; a user who was removed after RCPT
    is left out. What is on disk for one message after COMMIT says `bridge/box/keeping.py`, which decides all of it.
    """
    loaded = transaction.form(boxes.load)(transaction, mails, retention)
    writes = keeping.keep(mails, loaded, now_ms=transaction.now_ms, terms=terms, retention=retention)
    transaction.form(boxes.write)(transaction, loaded, writes)
    return writes.kept


# --- what devices ask for -------------------------------------------------------------------------


def set_seen(transaction: Transaction, user_id: int, numbers: Sequence[int], *, seen: bool, by: str = "") -> int:
    """Mark messages seen, on the device `by`, or unseen; how many changed."""
    at_ms, device = (transaction.now_ms, by) if seen else (None, None)
    cursor = transaction.connection.execute(
        "UPDATE message SET seen = ?1, seen_ms = ?2, seen_by = ?3"
        " WHERE user_id = ?4 AND number IN (SELECT value FROM json_each(?5)) AND seen <> ?1",
        (int(seen), at_ms, device, user_id, json.dumps(list(numbers))),
    )
    if cursor.rowcount:
        transaction.changed.add(user_id)
    return cursor.rowcount


def unseen(connection: StoreConnection, user_id: int, *, below: int, limit: int) -> list[int]:
    """The largest numbers below one of messages that nobody has seen, largest first."""
    return [
        number
        for (number,) in connection.execute(
            "SELECT number FROM message WHERE user_id = ? AND seen = 0 AND number < ? ORDER BY number DESC LIMIT ?",
            (user_id, below, limit),
        )
    ]


def recent(connection: StoreConnection, user_id: int, limit: int) -> list[tuple[int, bytes]]:
    """Number and header payload of the newest messages, seen or not, newest first."""
    return list(
        connection.execute(
            "SELECT number, header FROM message WHERE user_id = ? ORDER BY number DESC LIMIT ?",
            (user_id, limit),
        )
    )


def users_with(connection: StoreConnection, count: int, *, among: tuple[int, int] = ALL) -> dict[int, str]:
    """Id and name of the users who have at least so many messages, of a portion of all (`portions.py`)."""
    query = "SELECT user_id, name FROM user WHERE user_id > ? AND user_id <= ? AND kept >= ?"
    return dict(connection.execute(query, (*among, count)))


def body(connection: StoreConnection, user_id: int, number: int) -> StoredBody | None:
    """Where the bytes of a message are, or None when this user has no such message."""
    row = connection.execute(
        "SELECT m.size, b.raw, b.file FROM message m LEFT JOIN body b USING (body_id)"
        " WHERE m.user_id = ? AND m.number = ?",
        (user_id, number),
    ).fetchone()
    return None if row is None else StoredBody(*row)


def spooled_files(connection: StoreConnection) -> set[str]:
    """The names of all spool files that some message still needs."""
    return {row[0] for row in connection.execute(SPOOLED)}


def discarded_files(connection: StoreConnection) -> set[str]:
    """The names of spool files whose messages are gone."""
    return {row[0] for row in connection.execute("SELECT file FROM discarded")}


def forget_discarded(transaction: Transaction, files: Iterable[str]) -> None:
    """Note that these files are removed."""
    transaction.connection.executemany("DELETE FROM discarded WHERE file = ?", [(file,) for file in files])
