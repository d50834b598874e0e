"""What waits for some shards, read for the pump that owns them: by `seq`, which new messages and marks share.

Each look also says how far the sequence is: whatever it found is no further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.contract.publication import Kind
from bridge.store import desired, outbox, payloads, views
from bridge.store.backlog import FIRST
from bridge.store.desired import Row
from bridge.store.postgres import FORMS

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from bridge.contract.publication import Publication
    from bridge.store.engine import StoreConnection

MARKED = f"""
SELECT o.seq, o.path, o.kind, o.generation, o.user_id, o.number, m.header, m.live, m.held, u.name, u.views,
    {payloads.OF_USER}, s.until_ms, s.more, s.from_name, s.from_address
FROM (
    SELECT its.* FROM unnest(?1::smallint[]) mine (shard), LATERAL (
        SELECT * FROM outbox WHERE shard = mine.shard AND kind IN ({FIRST}) ORDER BY seq LIMIT ?2
    ) its ORDER BY its.seq LIMIT ?2
) o
LEFT JOIN message m ON m.user_id = o.user_id AND m.number = o.number
LEFT JOIN "user" u ON u.user_id = o.user_id
LEFT JOIN storm s ON o.kind = '{Kind.EVENT}' AND s.user_id = o.user_id AND s.first = o.number
ORDER BY o.seq
"""  # noqa: S608 - ours
NEW = f"""
SELECT m.seq, m.user_id, m.number, m.waits, m.header, m.live, m.held, u.name, u.views, {payloads.OF_USER}
FROM (
    SELECT its.* FROM unnest(?1::smallint[]) mine (shard), LATERAL (
        SELECT * FROM message WHERE shard = mine.shard AND waits <> 0 AND waits >= ?3 ORDER BY seq LIMIT ?2
    ) its ORDER BY its.seq LIMIT ?2
) m
JOIN "user" u ON u.user_id = m.user_id
ORDER BY m.seq
"""  # noqa: S608 - ours
VIEWS = f"""
SELECT o.path, o.kind, o.generation, o.user_id, u.views, u.text_held
FROM (
    SELECT its.* FROM unnest(?1::smallint[]) mine (shard), LATERAL (
        SELECT * FROM outbox WHERE shard = mine.shard AND kind NOT IN ({FIRST}) ORDER BY seq LIMIT ?2
    ) its ORDER BY its.seq LIMIT ?2
) o
LEFT JOIN "user" u ON u.user_id = o.user_id
ORDER BY o.seq
"""  # noqa: S608 - ours
LAST = "SELECT last_value FROM waiting"


def take_messages(
    connection: StoreConnection,
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    new: bool,
    shards: Sequence[int],
) -> tuple[list[Publication], int]:
    """The first waiting messages and events, without those in flight; without `new` only what was marked."""
    found: list[tuple[int, list[Publication]]] = []
    for seq, path, *rest in connection.execute(MARKED, (shards, limit)).fetchall():
        if path not in busy:
            found.append((seq, [outbox.of_mark((path, *rest), now_ms=now_ms, days=days)]))
    for seq, *row in connection.execute(NEW, (shards, limit, 0 if new else 4)).fetchall():
        found.append((seq, outbox.new_ones(tuple(row), busy, now_ms=now_ms, days=days)))
    found.sort(key=lambda each: each[0])
    return [publication for _, some in found for publication in some][:limit], _last(connection)


def take_views(
    connection: StoreConnection,
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    shards: Sequence[int],
) -> tuple[list[Publication], int]:
    """The first waiting views with their newest values, without those in flight or not yet due."""
    rows = [row for row in connection.execute(VIEWS, (shards, limit)).fetchall() if row[0] not in busy]
    return [_view(connection, row, now_ms=now_ms, days=days) for row in rows], _last(connection)


def _view(connection: StoreConnection, found: tuple[Any, ...], *, now_ms: int, days: float) -> Publication:
    path, kind, generation, user_id, switched_on, text_held = found
    row, payload = Row(path, Kind(kind), generation, user_id), b""
    if switched_on is not None and desired.view_is_on(row.kind, views.parse(switched_on)):
        form = FORMS.get(outbox.view_payload, outbox.view_payload)
        payload = form(connection, user_id, row.kind, now_ms=now_ms, days=days)
    return desired.view(row, payload, text_held=text_held)


def _last(connection: StoreConnection) -> int:
    seq: int = connection.execute(LAST).fetchone()[0]
    return seq
