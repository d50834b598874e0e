"""What waits for the broker of one cell. Rows of all cells stand together, in the order in which they were marked.

So that the backlog of a cell that is away costs the others nothing, each walk begins where the first row of its own
cell was the last time (`Since`): before that there can be none, as rows come in the order of their numbers. Only a move
brings older ones; then a walk begins at the start again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.store.backlog import FIRST
from bridge.store.outbox import MESSAGES, NEW_MESSAGES, taken

if TYPE_CHECKING:
    from collections.abc import Container

    from bridge.contract.publication import Publication
    from bridge.store.engine import StoreConnection

AT = "CASE o.kind WHEN 'stray' THEN o.number ELSE coalesce(u.cell, 0) END = ?"
"""Whoever is no more was at the first cell, or `leaving` says where. Strays say where they are."""
_FIRST_MARKED = f"""
SELECT o.seq FROM outbox o LEFT JOIN user u ON u.user_id = o.user_id
WHERE o.kind IN ({FIRST}) AND o.seq >= ? AND {AT} ORDER BY o.seq LIMIT 1
"""  # noqa: S608 - ours
_FIRST_VIEW = f"""
SELECT o.seq FROM outbox o LEFT JOIN user u ON u.user_id = o.user_id
WHERE o.kind NOT IN ({FIRST}) AND o.seq >= ? AND coalesce(u.cell, 0) = ? ORDER BY o.seq LIMIT 1
"""  # noqa: S608 - ours
_MARKED = MESSAGES.replace("ORDER BY", f"AND o.seq >= ? AND {AT} ORDER BY")
_FIRST_NEW = """
SELECT m.body_id FROM message m INDEXED BY message_waits CROSS JOIN user u ON u.user_id = m.user_id
WHERE m.waits <> 0 AND m.body_id >= ? AND u.cell = ? ORDER BY m.body_id LIMIT 1
"""
_NEW = NEW_MESSAGES.replace("ORDER BY", "AND m.body_id >= ? AND u.cell = ? ORDER BY")
_NEW_WITHOUT_BODY = NEW_MESSAGES.replace("ORDER BY", "AND m.body_id IS NULL AND u.cell = ? ORDER BY")
_LAST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)"
_WAITING = f"""
SELECT (SELECT count(*) FROM outbox o LEFT JOIN user u ON u.user_id = o.user_id
        WHERE o.kind IN ({FIRST}) AND o.seq >= ? AND {AT})
    + (SELECT coalesce(sum((m.waits & 1) + (m.waits >> 1 & 1)), 0) FROM message m INDEXED BY message_waits
        CROSS JOIN user u ON u.user_id = m.user_id WHERE m.waits <> 0 AND m.body_id >= ? AND u.cell = ?)
"""  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class Since:
    """Where a cell's rows begin: in the outbox by `seq` and, of views, `views`; new messages by `body`."""

    seq: int = 0
    views: int = 0
    body: int = 0


def begin(connection: StoreConnection, since: Since, *, cell: int) -> Since:
    """Where they begin now, if they did not begin before `since`."""
    behind, body = (connection.execute(_LAST, (table,)).fetchone()[0] + 1 for table in ("outbox", "body"))
    firsts = ((_FIRST_MARKED, since.seq, behind), (_FIRST_VIEW, since.views, behind), (_FIRST_NEW, since.body, body))
    found = [(connection.execute(query, (begun, cell)).fetchone(), end) for query, begun, end in firsts]
    return Since(*(end if row is None else min(end, row[0]) for row, end in found))


def waiting_messages(connection: StoreConnection, *, cell: int, since: Since) -> int:
    """As `backlog.waiting_messages` for one cell, but for mail whose body is gone."""
    count: int = connection.execute(_WAITING, (since.seq, cell, since.body, cell)).fetchone()[0]
    return count


def take_messages(
    connection: StoreConnection,
    *,
    cell: int,
    since: Since,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    new: bool = True,
) -> tuple[list[Publication], Since]:
    """As `outbox.take_messages` for one cell; and where its rows begin, for the next time."""
    since = begin(connection, since, cell=cell)
    marked = connection.execute(_MARKED, (since.seq, cell, limit)).fetchall()
    least = 0 if new else 4
    waiting = connection.execute(_NEW_WITHOUT_BODY, (least, cell, limit)).fetchall()
    waiting += connection.execute(_NEW, (least, since.body, cell, limit - len(waiting))).fetchall()
    return taken(marked, waiting, limit=limit, now_ms=now_ms, busy=busy, days=days), since
