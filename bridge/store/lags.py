"""How long mail has been waiting for the broker: of the oldest, for each shard and cell, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import ids

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection

LAGS = """
SELECT m.user_id % 64, u.cell, count(*), min(m.number) FROM message m INDEXED BY message_waits
JOIN user u USING (user_id) WHERE m.waits <> 0 GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """New mail of a shard that waits for one cell: how much, and when the oldest of it came, in Unix milliseconds."""

    shard: int
    cell: int
    mails: int
    since_ms: int


def lags(connection: StoreConnection) -> list[Lag]:
    """All there are; what was only marked again is not among them, since nothing tells when that was."""
    rows = connection.execute(LAGS).fetchall()
    return [Lag(shard, cell, mails, ids.received_ms(oldest)) for shard, cell, mails, oldest in rows]
