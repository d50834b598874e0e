"""The bridges that share a database of PostgreSQL: who is there, and for how many shards each publishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection

STANDINGS = """
SELECT n.name, CAST(extract(epoch FROM clock_timestamp() - n.alive) AS double precision),
    (SELECT count(*) FROM lease l WHERE l.owner = n.name AND l.expires > clock_timestamp())
FROM node n ORDER BY n.name
"""
UNOWNED = "SELECT count(*) FROM lease WHERE owner IS NULL OR expires <= clock_timestamp()"
OWNERS = "SELECT shard, owner FROM lease WHERE owner IS NOT NULL AND expires > clock_timestamp()"

SILENT_S = 2.0
"""A bridge says each second that it is there."""


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """A bridge: for how many seconds it has said nothing, and how many shards it has the leases of."""

    name: str
    silent_s: float
    shards: int


def standings(connection: StoreConnection) -> list[NodeStanding]:
    """All bridges that were not ended in order, by name."""
    return [NodeStanding(*row) for row in connection.execute(STANDINGS).fetchall()]


def unowned(connection: StoreConnection) -> int:
    """How many shards nobody publishes for at this moment."""
    count: int = connection.execute(UNOWNED).fetchone()[0]
    return count


def owners(connection: StoreConnection) -> dict[int, str]:
    """Which node publishes for each shard at this moment; those of which nobody does are left out."""
    return dict(connection.execute(OWNERS).fetchall())


def alive(connection: StoreConnection) -> tuple[str, ...]:
    """The names of the bridges that are there at this moment."""
    return tuple(each.name for each in standings(connection) if each.silent_s <= SILENT_S)
