"""What waits for the broker of one cell, in PostgreSQL, for a bridge that owns some of the shards.

As `outbox_at.py`: each walk begins where the first row of its own cell was the last time, so that the backlog of a cell
that is away costs the others nothing. Here rows may be seen later than others with higher numbers, as a number is given
before its transaction is committed: how far a walk may leave rows out, whoever walks has to know (`shards/since.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.store import grouped_outbox, outbox
from bridge.store.backlog import FIRST
from bridge.store.stretch import Moment, Stretch

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from bridge.postgres.connection import PostgresConnection

_CELL = 'coalesce((SELECT v.cell FROM "user" v WHERE v.user_id = q.user_id), 0)'
"""As a subquery it is looked up row by row, in the order of the rows: a join might begin with the users of the cell."""
_HERE = f"AND q.seq >= ? AND CASE q.kind WHEN 'stray' THEN q.number ELSE {_CELL} END = ?"
_AT = f"{_HERE} ORDER BY q.seq"
_MARKED = grouped_outbox.MARKED.replace("ORDER BY q.seq", _AT).replace("s.from_address\n", "s.from_address, o.seq\n")
_NEW = grouped_outbox.NEW.replace("ORDER BY q.seq", f"AND q.seq >= ? AND {_CELL} = ? ORDER BY q.seq").replace(
    "\nFROM (SELECT", ", m.seq\nFROM (SELECT"
)
_VIEWS = grouped_outbox.VIEWS.replace("ORDER BY q.seq", _AT).replace("u.text_held\n", "u.text_held, o.seq\n")
_JOINED = "CASE q.kind WHEN 'stray' THEN q.number ELSE coalesce(v.cell, 0) END = ?"
_FIRST = f"""
SELECT min(q.seq) FROM outbox q LEFT JOIN "user" v ON v.user_id = q.user_id
WHERE q.shard = ANY(?::smallint[]) AND q.kind IN ({FIRST}) AND {_JOINED}
"""  # noqa: S608 - ours
"""From the start, where nothing has to come in order, a join is a tenth of the work."""
_FIRST_VIEW = _FIRST.replace("q.kind IN", "q.kind NOT IN")
_FIRST_NEW = """
SELECT min(q.seq) FROM message q JOIN "user" v ON v.user_id = q.user_id
WHERE q.shard = ANY(?::smallint[]) AND q.waits <> 0 AND v.cell = ?
"""
_NOW = """
SELECT last_value, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint, (SELECT value FROM revision WHERE name = 'moves')
FROM waiting
"""
_WAITING = f"""
SELECT (SELECT count(*) FROM outbox q WHERE q.shard = ANY(?::smallint[]) AND q.kind IN ({FIRST}) {_HERE})
    + (SELECT coalesce(sum((q.waits & 1) + (q.waits >> 1 & 1)), 0) FROM message q
        WHERE q.shard = ANY(?::smallint[]) AND q.waits <> 0 AND q.seq >= ? AND {_CELL} = ?)
"""  # noqa: S608 - ours


def take_messages(
    connection: PostgresConnection,
    *,
    cell: int,
    marked: int,
    new_from: int,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    new: bool,
    shards: Sequence[int],
) -> Stretch:
    """As `grouped_outbox.take_messages` for one cell: marked ones from a place on, and new ones from another."""
    began, given = moment(connection), list(shards)
    marked = marked or _first(connection, _FIRST, given, cell, began)
    new_from = new_from or _first(connection, _FIRST_NEW, given, cell, began)
    rows = grouped_outbox.first(connection, _MARKED, shards, limit, marked, cell, whose=3)
    least = 0 if new else 4
    fresh = grouped_outbox.first(connection, _NEW, shards, limit, least, new_from, cell, whose=0)
    found = outbox.taken(_without(rows), _without(fresh), limit=limit, now_ms=now_ms, busy=busy, days=days)
    return Stretch(found=found, began=began, marked=_least(rows), new=_least(fresh))


def take_views(
    connection: PostgresConnection,
    *,
    cell: int,
    views: int,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    shards: Sequence[int],
) -> Stretch:
    """As `grouped_outbox.take_views` for one cell, from a place on."""
    began, given = moment(connection), list(shards)
    views = views or _first(connection, _FIRST_VIEW, given, cell, began)
    rows = connection.execute(_VIEWS, (given, views, cell, limit, limit)).fetchall()
    waiting = _without(row for row in rows if row[0] not in busy)
    found = grouped_outbox.views_of(connection, waiting, now_ms=now_ms, days=days)
    return Stretch(found=found, began=began, views=_least(rows))


def moment(connection: PostgresConnection) -> Moment:
    """How far the database is now: whatever is read behind this was read later."""
    [(last, oldest, next_one, moves)] = connection.execute(_NOW).fetchall()
    return Moment(last=last, oldest=oldest, next_one=next_one, moves=moves)


def _first(connection: PostgresConnection, query: str, shards: list[int], cell: int, began: Moment) -> int:
    """The first place of the cell's own; where there is none, the one behind all others."""
    [(first,)] = connection.execute(query, (shards, cell)).fetchall()
    return began.last + 1 if first is None else int(first)


def waiting_messages(
    connection: PostgresConnection, *, cell: int, marked: int, new_from: int, shards: Sequence[int]
) -> int:
    """How many topics of these shards wait for a cell that go before the views, from these places on."""
    given = list(shards)
    [(count,)] = connection.execute(_WAITING, (given, marked, cell, given, new_from, cell)).fetchall()
    return int(count)


def _without(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows without their places, which come last."""
    return [tuple(row[:-1]) for row in rows]


def _least(rows: Iterable[Sequence[Any]]) -> int | None:
    return min((row[-1] for row in rows), default=None)
