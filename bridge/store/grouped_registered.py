"""Who is registered, in PostgreSQL: whose an address is in one round trip, and names by index whatever the shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import directory
from bridge.directory import User
from bridge.store import registered
from bridge.store.registered import AsOf, StoredBook

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.model import Recipient
    from bridge.postgres.connection import PostgresConnection

_OWNER = """
SELECT r.value, u.user_id, u.name FROM revision r LEFT JOIN (address a JOIN user u USING (user_id)) ON a.address = ?
WHERE r.name = 'people'
"""
_OF = "SELECT name, live FROM user WHERE name > ? AND shard = ANY(?::smallint[])"
_AT_OF = "SELECT name, live FROM user WHERE cell = ? AND name > ? AND shard = ANY(?::smallint[])"


class DatedBook(StoredBook):
    """As StoredBook; the first answer says also as of which revision of people it is."""

    def __init__(self, connection: PostgresConnection) -> None:
        super().__init__(connection)
        self.revision: int | None = None

    def owner(self, address: str) -> User | None:
        """Who has this address."""
        [(revision, *found)] = self._connection.execute(_OWNER, (address,)).fetchall()
        self.revision = revision if self.revision is None else self.revision
        return None if found[0] is None else User(*found)


def resolve(connection: PostgresConnection, address: str) -> AsOf[Recipient]:
    """Whose address this is, as `registered.resolve`: each mail for somebody who is not in mind waits for it."""
    book = DatedBook(connection)
    found = directory.resolve(address, book)
    if book.revision is None:  # nobody was asked for by address
        return registered.resolve(connection, address)
    return AsOf(book.revision, found)


def names(
    connection: PostgresConnection,
    *,
    after: str,
    limit: int,
    live: int,
    each: int = 0,
    cell: int | None = None,
    shards: Collection[int] | None = None,
) -> list[str]:
    """Some names of users, as `registered.names`."""
    if shards is None:
        return registered.names(connection, after=after, limit=limit, live=live, each=each, cell=cell)
    given = list(shards)
    if not given:  # else all are walked through to find none
        return []
    where = (after, given) if cell is None else (cell, after, given)
    # A limit that the planner does not know is a tenth of everybody to it, and then it sorts them.
    query = f"{_OF if cell is None else _AT_OF} ORDER BY name LIMIT {limit:d}"
    return registered.few(connection.execute(query, where), live=live, each=each)
