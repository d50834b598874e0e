"""Bodies in PostgreSQL: nothing that counts lies on the disk of a bridge, since any bridge may be asked for it.

What fits into memory is in its row. A larger one comes in parts before the row that names it, under the name that it
had while it arrived; what no row came to name is swept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.contract.expiry import DAY_MS
from bridge.kept import StoredBody
from bridge.store import belongings, bodies, messages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bridge.postgres.connection import PostgresConnection
    from bridge.store.belongings import Belonging
    from bridge.store.bodies import Keeping
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction

PART = 256 * 1024
"""Bytes of a part."""
PARTS = "SELECT data FROM body_part WHERE file = ? ORDER BY part"
LEFT = "DELETE FROM upload WHERE since_ms < ? RETURNING file"
LEFT_PARTS = """
DELETE FROM body_part WHERE file = ANY(?::text[]) AND NOT EXISTS (SELECT 1 FROM body WHERE body.file = body_part.file)
"""


def body(connection: StoreConnection, user_id: int, number: int) -> StoredBody | None:
    """The bytes of a message, or None when this user has no such message."""
    found = messages.body(connection, user_id, number)
    return None if found is None else _whole(connection, found)


def _whole(connection: StoreConnection, found: StoredBody) -> StoredBody:
    if found.file is None:
        return found
    parts = [data for (data,) in connection.execute(PARTS, (found.file,))]
    return StoredBody(found.size, b"".join(parts) if parts else None, None)


def no_files(connection: StoreConnection) -> set[str]:
    """No message needs a file."""
    del connection
    return set()


def messages_of(connection: StoreConnection, user_id: int) -> Iterator[Belonging]:
    """All messages of a user, oldest first."""
    for each in belongings.messages(connection, user_id):
        yield each if each.body is None else replace(each, body=_whole(connection, each.body))


def clear(transaction: Transaction, keeping: Keeping, *, over: Collection[int] = ()) -> int:
    """Drop what is over a limit, and parts that no row came to name within a day; how many rows went."""
    left = [file for (file,) in transaction.connection.execute(LEFT, (transaction.now_ms - DAY_MS,)).fetchall()]
    if left:
        transaction.connection.execute(LEFT_PARTS, (left,))
    return bodies.clear(transaction, keeping, over=over)


def put(connection: PostgresConnection, file: str, data: Iterator[bytes], *, now_ms: int) -> None:
    """Write the parts of a body; they are on disk when a transaction is that names them, for it comes behind them."""
    connection.begin()
    try:
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("INSERT INTO upload VALUES (?, ?)", (file, now_ms))
        for part, piece in enumerate(data):
            connection.execute("INSERT INTO body_part VALUES (?, ?, ?)", (file, part, piece))
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
