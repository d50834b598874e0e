"""A node's name at the database: one bridge has it, for as long as its session stands.

It is an advisory lock, which everybody sees: so a bridge whose session is gone is known to have died, and a second one
of the same name does not start.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from bridge.postgres.connection import PostgresConnection

LOCKS = 0x0B3117
"""The first half of all our names' locks (PostgreSQL 13.3.5)."""
PATIENCE_S = 5.0
"""So long the name of one that was killed may stay taken, while the database learns of it."""
AGAIN_S = 0.1

LOCK = "SELECT pg_try_advisory_lock(?::integer, hashtext(?))"
HAS_SESSION = f"""EXISTS (
    SELECT 1 FROM pg_locks k WHERE k.locktype = 'advisory' AND k.objsubid = 2 AND k.granted
    AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND k.classid = {LOCKS} AND k.objid = hashtext(n.name)::oid
)"""  # noqa: S608 - ours
"""Whether a node `n` has a session."""


class NodeTakenError(ConfigurationError):
    """Another bridge at this database has the name."""


ALIVE = ("tcp_keepalives_idle = 2", "tcp_keepalives_interval = 1", "tcp_keepalives_count = 3")
"""So the database learns of a machine that is gone: the name is free, and others need not wait for leases to end."""


def take(connection: PostgresConnection, node: str, *, patience_s: float = PATIENCE_S) -> None:
    """Have this session be the node's, until it ends. Raises NodeTakenError if another one still is after a while."""
    for setting in ALIVE:
        connection.execute(f"SET {setting}")
    end = time.monotonic() + patience_s
    while not connection.execute(LOCK, (LOCKS, node)).fetchall()[0][0]:
        if time.monotonic() > end:
            raise NodeTakenError(
                f"node = {node!r}: another bridge at this database has that name; give each bridge its own"
            )
        time.sleep(AGAIN_S)
