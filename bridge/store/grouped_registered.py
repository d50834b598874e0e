"""Names of users out of PostgreSQL, by index whatever shards are asked for: its planner is told how few they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store import registered

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.postgres.connection import PostgresConnection

_OF = "SELECT name, live FROM user WHERE name > ? AND shard = ANY(?::smallint[])"
_AT_OF = "SELECT name, live FROM user WHERE cell = ? AND name > ? AND shard = ANY(?::smallint[])"


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
