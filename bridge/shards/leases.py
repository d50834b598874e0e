"""Leases as the database has them: renewed, read, taken and given back, each in one transaction.

All times are the database's. Whoever takes looks again under the lock of the row, so that what was planned a moment ago
cannot make two owners.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.shards.database_thread import transaction
from bridge.shards.names import HAS_SESSION
from bridge.shards.plan import LEASE_S, SILENT_S, Lease, Node

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bridge.postgres.connection import PostgresConnection
    from bridge.shards.owing import Owed

CHANNEL = "postbell_leases"
"""NOTIFY here says that leases became free."""

_LASTS = f"clock_timestamp() + interval '{LEASE_S} s'"
ALIVE = (
    "INSERT INTO node (name, alive) VALUES (?, clock_timestamp())"
    " ON CONFLICT (name) DO UPDATE SET alive = excluded.alive"
)
RENEW = f"""
UPDATE lease SET expires = {_LASTS} FROM unnest(?::smallint[], ?::bigint[]) mine (shard, epoch)
WHERE lease.shard = mine.shard AND lease.epoch = mine.epoch AND owner = ? AND expires > clock_timestamp()
"""  # noqa: S608 - ours
LEASES = """
SELECT shard, owner, epoch, extract(epoch FROM greatest(expires, '2000-01-01') - clock_timestamp())::float8, unfenced
FROM lease ORDER BY shard
"""
NODES = f"SELECT name, extract(epoch FROM clock_timestamp() - alive)::float8, {HAS_SESSION} FROM node n"  # noqa: S608
DIED = f"""
UPDATE lease SET expires = '-infinity' WHERE owner = ANY(?) AND EXISTS (
    SELECT 1 FROM node n WHERE n.name = lease.owner
    AND n.alive < clock_timestamp() - interval '{SILENT_S} s' AND NOT {HAS_SESSION}
)
"""  # noqa: S608 - ours
END_SESSIONS = """
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.usename = current_user AND a.xact_start < clock_timestamp() - interval '1 s'
AND EXISTS (
    SELECT 1 FROM lease l WHERE l.shard = ANY(?::smallint[]) AND l.owner <> ? AND l.expires <= clock_timestamp()
    AND starts_with(a.application_name, 'postbell ' || l.owner || ' ')
)
"""
"""Who was stopped within a transaction has rows locked: of leases, and of boxes that mail comes for. The database ends
those sessions by itself that wait between two statements, and none that was not told where its pipeline ends."""
TAKE = f"""
UPDATE lease SET owner = ?1, epoch = lease.epoch + 1, expires = {_LASTS}, unfenced = CASE
    WHEN free.owner IS NULL OR free.owner = ANY(lease.unfenced || ?1) THEN lease.unfenced
    ELSE lease.unfenced || free.owner END
FROM (
    SELECT l.shard, l.owner FROM lease l
    JOIN unnest(?2::smallint[], ?3::bigint[]) wanted (shard, epoch) USING (shard, epoch)
    WHERE l.owner IS NULL OR l.owner = ?1 OR l.expires <= clock_timestamp()
    ORDER BY l.shard FOR UPDATE OF l SKIP LOCKED
) free
WHERE lease.shard = free.shard RETURNING lease.shard, lease.epoch, free.owner, lease.unfenced
"""  # noqa: S608 - ours
OWE = """
UPDATE lease SET unfenced = string_to_array(mine.owed, ',')
FROM unnest(?::smallint[], ?::bigint[], ?::text[]) mine (shard, epoch, owed)
WHERE lease.shard = mine.shard AND lease.epoch = mine.epoch AND owner = ? RETURNING lease.shard
"""
GIVE_BACK = """
UPDATE lease SET owner = NULL, expires = '-infinity', taken = CASE mine.owed WHEN '' THEN 0 ELSE taken END,
    unfenced = string_to_array(mine.owed, ',')
FROM unnest(?::smallint[], ?::bigint[], ?::text[]) mine (shard, epoch, owed)
WHERE lease.shard = mine.shard AND lease.epoch = mine.epoch AND owner = ?
"""
CELLS = "SELECT cell_id FROM cell"
LEAVE = """
UPDATE lease SET expires = '-infinity' FROM unnest(?::smallint[], ?::bigint[]) mine (shard, epoch)
WHERE lease.shard = mine.shard AND lease.epoch = mine.epoch AND owner = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A shard that was taken a moment ago. `unfenced` are others who may still have a connection to a broker.

    `clean` says that its last owner gave it back: nothing of it is in flight anywhere.
    """

    epoch: int
    unfenced: frozenset[str]
    clean: bool


def renew(connection: PostgresConnection, node: str, epochs: Mapping[int, int]) -> tuple[list[Lease], list[Node]]:
    """Say that this node is alive, renew what it has under these epochs, and read what there is then."""
    with transaction(connection):
        connection.execute("SET LOCAL synchronous_commit = on")
        connection.execute(ALIVE, (node,))
        if epochs:
            connection.execute(RENEW, (list(epochs), list(epochs.values()), node))
        leases = [
            Lease(shard=shard, owner=owner, epoch=epoch, left_s=left_s, unfenced=tuple(unfenced))
            for shard, owner, epoch, left_s, unfenced in connection.execute(LEASES).fetchall()
        ]
        nodes = [
            Node(name=name, silent_s=silent_s, session=session)
            for name, silent_s, session in connection.execute(NODES).fetchall()
        ]
    return leases, nodes


def take(
    connection: PostgresConnection, node: str, wanted: Mapping[int, int], *, dead: Collection[str] = ()
) -> dict[int, Taken]:
    """Take shards that were found free at these epochs, as far as they still are; what it came to, by shard.

    The leases of who is `dead` end first, if the database agrees; transactions of those whose leases have ended, too.
    """
    with transaction(connection):
        connection.execute("SET LOCAL synchronous_commit = on")
        if dead:
            connection.execute(DIED, (list(dead),))
        connection.execute(END_SESSIONS, (list(wanted), node)).fetchall()
        rows = connection.execute(TAKE, (node, list(wanted), list(wanted.values()))).fetchall()
    return {
        shard: Taken(epoch=epoch, unfenced=frozenset(unfenced), clean=before is None and not unfenced)
        for shard, epoch, before, unfenced in rows
    }


def cells(connection: PostgresConnection) -> frozenset[int]:
    """The numbers of all brokers that there are."""
    return frozenset(cell for (cell,) in connection.execute(CELLS).fetchall())


def note_owed(
    connection: PostgresConnection, node: str, epochs: Mapping[int, int], owed: Mapping[int, Collection[Owed]]
) -> frozenset[int]:
    """Note which fences of these shards are owed still; of which shards, as the others are somebody else's."""
    rows = connection.execute(OWE, (*_with_owed(epochs, owed), node)).fetchall()
    return frozenset(shard for (shard,) in rows)


def give_back(
    connection: PostgresConnection, node: str, epochs: Mapping[int, int], owed: Mapping[int, Collection[Owed]]
) -> None:
    """Give back shards. Whoever takes one for which nothing is owed has nobody to fence and nothing to doubt."""
    with transaction(connection):
        connection.execute(GIVE_BACK, (*_with_owed(epochs, owed), node))
        connection.execute("SELECT pg_notify(?, '')", (CHANNEL,))


def _with_owed(
    epochs: Mapping[int, int], owed: Mapping[int, Collection[Owed]]
) -> tuple[list[int], list[int], list[str]]:
    return list(epochs), list(epochs.values()), [",".join(sorted(map(str, owed.get(shard, ())))) for shard in epochs]


def leave(connection: PostgresConnection, node: str, epochs: Mapping[int, int]) -> None:
    """End the leases of a node that stops, and forget the node. What it had in flight is the next owner's to doubt."""
    with transaction(connection):
        connection.execute(LEAVE, (list(epochs), list(epochs.values()), node))
        connection.execute("DELETE FROM node WHERE name = ?", (node,))
        connection.execute("SELECT pg_notify(?, '')", (CHANNEL,))
