"""What waits for the broker, in PostgreSQL: taken, settled and doubted in a few round trips whatever its number.

As `outbox.py`, whose operations these are there. What waits in a message's own row and what waits in the outbox have
their places in one order (`seq`), and each belongs to the shard of its user.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from bridge.box.live_set import horizon
from bridge.contract import ids
from bridge.contract.publication import Kind
from bridge.model import Storm
from bridge.store import desired, outbox, payloads, views
from bridge.store.backlog import FIRST
from bridge.store.desired import Row
from bridge.store.grouped_boxes import columns

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from bridge.contract.publication import Publication
    from bridge.postgres.connection import PostgresConnection
    from bridge.store.writer import Transaction

ALL = tuple(range(64))
"""All shards."""
FEW = 16
"""Rows of a shard that are looked at, at least."""
COMMANDS = 1024
"""So much more may be marked by commands, which write beside the bridge, before it is committed."""
MARKED = f"""
SELECT o.path, o.kind, o.generation, o.user_id, o.number, m.header, m.live, m.held, u.name, u.views, {payloads.OF_USER},
    s.until_ms, s.more, s.from_name, s.from_address
FROM (SELECT x.* FROM unnest(?::smallint[]) w(shard), LATERAL (SELECT * FROM outbox q
    WHERE q.shard = w.shard AND q.kind IN ({FIRST}) ORDER BY q.seq LIMIT ?) x ORDER BY x.seq LIMIT ?) o
LEFT JOIN message m ON m.user_id = o.user_id AND m.number = o.number
LEFT JOIN "user" u ON u.user_id = o.user_id
LEFT JOIN storm s ON o.kind = '{Kind.EVENT}' AND s.user_id = o.user_id AND s.first = o.number
ORDER BY o.seq
"""  # noqa: S608 - ours
NEW = f"""
SELECT m.user_id, m.number, m.waits, m.header, m.live, m.held, u.name, u.views, {payloads.OF_USER}
FROM (SELECT x.* FROM unnest(?::smallint[]) w(shard), LATERAL (SELECT * FROM message q
    WHERE q.shard = w.shard AND q.waits <> 0 AND q.waits >= ? ORDER BY q.seq LIMIT ?) x ORDER BY x.seq LIMIT ?) m
JOIN "user" u ON u.user_id = m.user_id
ORDER BY m.seq
"""  # noqa: S608 - ours
VIEWS = f"""
SELECT o.path, o.kind, o.generation, o.user_id, u.views, u.text_held
FROM (SELECT x.* FROM unnest(?::smallint[]) w(shard), LATERAL (SELECT * FROM outbox q
    WHERE q.shard = w.shard AND q.kind NOT IN ({FIRST}) ORDER BY q.seq LIMIT ?) x ORDER BY x.seq LIMIT ?) o
LEFT JOIN "user" u ON u.user_id = o.user_id
ORDER BY o.seq
"""  # noqa: S608 - ours
_SHOWN = f"""
SELECT u.user_id, ARRAY(SELECT m.number FROM message m WHERE m.user_id = u.user_id AND m.live = 1 ORDER BY m.number),
    (SELECT count(*) FROM message m WHERE m.user_id = u.user_id AND m.seen = 0 AND m.number >= ?),
    newest.number, newest.header, ringing.header, {payloads.OF_USER}, s.more, s.from_name, s.from_address
FROM unnest(?::bigint[]) u(user_id)
LEFT JOIN LATERAL (SELECT m.number, m.header FROM message m WHERE m.user_id = u.user_id AND m.live = 1
    ORDER BY m.number DESC LIMIT 1) newest ON true
LEFT JOIN LATERAL (SELECT m.number, m.header FROM message m WHERE m.user_id = u.user_id AND m.live = 1 AND m.silent = 0
    ORDER BY m.number DESC LIMIT 1) ringing ON true
LEFT JOIN LATERAL (SELECT * FROM storm t WHERE t.user_id = u.user_id AND t.open = 0
    AND t.first > coalesce(ringing.number, 0) AND EXISTS (SELECT 1 FROM message m WHERE m.user_id = u.user_id
        AND m.live = 1 AND m.number BETWEEN t.first AND t.last)
    ORDER BY t.first DESC LIMIT 1) s ON true
"""  # noqa: S608 - ours
_SETTLE_NEW = """
UPDATE message m SET
    waits = CASE WHEN w.header = 0 THEN m.waits & ~2
        WHEN m.waits >> 2 = w.generation THEN CASE WHEN w.event = 1 THEN 0 ELSE m.waits & 2 END
        WHEN w.event = 1 THEN m.waits & ~2 ELSE m.waits END,
    held = coalesce(w.held, m.held),
    told_ms = CASE WHEN w.held = 1 THEN coalesce(m.told_ms, ?) ELSE m.told_ms END
FROM unnest(?::bigint[], ?::bigint[], ?::smallint[], ?::smallint[], ?::bigint[], ?::smallint[])
    w(user_id, number, header, event, generation, held)
WHERE m.user_id = w.user_id AND m.number = w.number
RETURNING w.header, m.waits & 1
"""
_HELD = """
UPDATE message m SET held = w.held, told_ms = CASE WHEN w.held = 1 THEN coalesce(m.told_ms, ?) ELSE m.told_ms END
FROM unnest(?::bigint[], ?::bigint[], ?::smallint[]) w(user_id, number, held)
WHERE m.user_id = w.user_id AND m.number = w.number
"""
_TEXTS = """
UPDATE "user" u SET text_held = w.text FROM unnest(?::bigint[], ?::bytea[]) w(user_id, text) WHERE u.user_id = w.user_id
"""
_TEXTS_AT = f"{_TEXTS.rstrip()} AND u.cell = ?"
_TAKE_OUT = """
DELETE FROM outbox o USING unnest(?::text[], ?::bigint[]) w(path, generation)
WHERE o.path = w.path AND o.generation = w.generation
"""
_DOUBT_NEW = """
UPDATE message m SET held = 1
FROM (SELECT user_id, number FROM message WHERE shard = ANY(?::smallint[]) AND waits <> 0 ORDER BY seq LIMIT ?) w
WHERE m.user_id = w.user_id AND m.number = w.number AND m.waits & 1 <> 0 AND m.held = 0
"""
_DOUBT_MARKED = """
UPDATE message m SET held = 1
FROM (SELECT user_id, number FROM outbox WHERE shard = ANY(?::smallint[]) AND kind = 'msg' ORDER BY seq LIMIT ?) w
WHERE m.user_id = w.user_id AND m.number = w.number AND m.held = 0
"""
_DOUBT_TEXTS = """
UPDATE "user" SET text_held = NULL
WHERE user_id IN (SELECT user_id FROM outbox WHERE shard = ANY(?::smallint[]) AND kind = 'text')
"""
_DOUBT_SOME = """
UPDATE message m SET held = 1 FROM unnest(?::bigint[], ?::bigint[]) w(user_id, number)
WHERE m.held = 0 AND m.user_id = w.user_id AND m.number = w.number
"""
_DOUBT_SOME_TEXTS = 'UPDATE "user" SET text_held = NULL WHERE user_id = ANY(?::bigint[])'
_FIRST_MESSAGE = f"SELECT min(seq), (SELECT last_value FROM waiting) FROM outbox WHERE kind IN ({FIRST})"  # noqa: S608


def take_messages(
    connection: PostgresConnection,
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    new: bool = True,
    shards: Sequence[int] = ALL,
) -> list[Publication]:
    """The first waiting messages and events of these shards, without those in flight."""
    marked = first(connection, MARKED, shards, limit, whose=3)
    fresh = first(connection, NEW, shards, limit, 0 if new else 4, whose=0)
    return outbox.taken(marked, fresh, limit=limit, now_ms=now_ms, busy=busy, days=days)


def first(
    connection: PostgresConnection, query: str, shards: Sequence[int], limit: int, *values: int, whose: int
) -> list[Any]:
    """The first rows that wait; `whose` is the place of the user's id in one.

    Of each shard some are looked at, and as many as are wanted only where one has most of what waits: else all shards
    together would be asked for so many times as much.
    """
    given = list(shards)
    some = max(FEW, 4 * limit // max(1, len(given)))
    rows = connection.execute(query, (given, *values, some, limit)).fetchall()
    if some < limit > len(rows) and max(Counter(row[whose] % len(ALL) for row in rows).values(), default=0) >= some:
        rows = connection.execute(query, (given, *values, limit, limit)).fetchall()
    return rows


def take_views(
    connection: PostgresConnection,
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    shards: Sequence[int] = ALL,
) -> list[Publication]:
    """The first waiting views of these shards with their newest values, without those in flight or not yet due."""
    waiting = connection.execute(VIEWS, (list(shards), limit, limit)).fetchall()
    return views_of(connection, (row for row in waiting if row[0] not in busy), now_ms=now_ms, days=days)


def views_of(
    connection: PostgresConnection, waiting: Iterable[Sequence[Any]], *, now_ms: int, days: float
) -> list[Publication]:
    """What rows of views come to, as `VIEWS` found them."""
    rows = list(waiting)
    users = sorted({row[3] for row in rows if row[4] is not None})
    found = shown(connection, users, now_ms=now_ms, days=days)
    taken = []
    for path, kind, generation, user_id, switched_on, text_held in rows:
        row, payload = Row(path, Kind(kind), generation, user_id), b""
        if switched_on is not None and desired.view_is_on(row.kind, views.parse(switched_on)):
            payload = view(row.kind, found[user_id])
        taken.append(desired.view(row, payload, text_held=text_held))
    return taken


def shown(
    connection: PostgresConnection, users: Sequence[int], *, now_ms: int, days: float
) -> dict[int, tuple[Any, ...]]:
    """What the views of users are made of."""
    rows = connection.execute(_SHOWN, (horizon(now_ms, days), list(users))).fetchall() if users else []
    return {row[0]: row[1:] for row in rows}


def view(kind: Kind, found: tuple[Any, ...]) -> bytes:
    """What a view should say now, of what is `shown` of its user; empty when there is nothing to say."""
    numbers, unread, newest, header, ringing, limit, more, from_name, from_address = found
    if kind is Kind.BOX:
        return desired.box(numbers)
    if kind is Kind.UNREAD:
        return desired.unread(unread)
    if kind is Kind.TEXT:
        return desired.text(ringing, None if more is None else Storm(more, from_name, from_address), limit=limit)
    return b"" if newest is None else desired.last(newest, header)


def settle(transaction: Transaction, publications: Iterable[Publication], *, cell: int | None = None) -> None:
    """Take out what the broker acknowledged; what was marked again meanwhile still waits, and is told as news.

    What the broker of a `cell` holds says nothing of users who are at another by now.
    """
    publications = list(publications)
    connection, now_ms = _connection(transaction), transaction.now_ms
    new = _new_rows(each for each in publications if each.new)
    rows = [each for each in publications if not each.new]
    held = sorted(
        (each.user_id, each.number, 1 if each.payload else 0)
        for each in rows
        if each.kind is Kind.MESSAGE and each.needed
    )
    texts = {each.user_id: each.payload for each in rows if each.kind is Kind.TEXT and each.needed}
    out: dict[bool, list[tuple[str, int]]] = {
        of_views: sorted((each.path, each.generation) for each in rows if each.kind.is_view is of_views)
        for of_views in (False, True)
    }
    with connection.pipeline():
        settled = connection.execute(_SETTLE_NEW, (now_ms, *columns(new, 6))) if new else None
        if held:
            connection.execute(_HELD, (now_ms, *columns(held, 3)))
        if texts and cell is None:
            connection.execute(_TEXTS, columns(sorted(texts.items()), 2))
        elif texts:
            connection.execute(_TEXTS_AT, (*columns(sorted(texts.items()), 2), cell))
        gone = {of_views: connection.execute(_TAKE_OUT, columns(some, 2)) for of_views, some in out.items() if some}
    if settled is not None:
        headers = [waits for header, waits in settled.fetchall() if header]
        # A message that is gone meanwhile, as with its user, left a tombstone to publish.
        transaction.messages_marked |= len(headers) < sum(row[2] for row in new) or any(headers)
    for of_views, cursor in gone.items():
        again = cursor.rowcount < len(out[of_views])
        transaction.views_marked |= again and of_views
        transaction.messages_marked |= again and not of_views


def _new_rows(publications: Iterable[Publication]) -> list[tuple[int, int, int, int, int, int | None]]:
    """What was acknowledged of each message that waited in its own row: mostly header and event together."""
    found: dict[tuple[int, int], list[Any]] = {}
    for each in publications:
        row = found.setdefault((each.user_id, each.number), [0, 0, 0, None])
        if each.kind is Kind.EVENT:
            row[1] = 1
        else:
            row[0], row[2] = 1, each.generation
            row[3] = None if not each.needed else 1 if each.payload else 0
    return [(*whose, *row) for whose, row in sorted(found.items())]


def doubt(
    transaction: Transaction,
    publications: Sequence[Publication] | None,
    *,
    limit: int | None,
    shards: Sequence[int] = ALL,
) -> None:
    """Note that the broker may hold what waits: these, or the first `limit` messages of these shards when None.

    All of them without a limit: places are given before they are committed, so where several write, those in flight
    need not be the first. One of which it is said for nothing, and that is gone before it was published, has its topic
    cleared though nobody had it.
    """
    connection = _connection(transaction)
    if publications is None:
        given = list(shards)
        with connection.pipeline():
            connection.execute(_DOUBT_NEW, (given, limit))
            connection.execute(_DOUBT_MARKED, (given, None if limit is None else limit + COMMANDS))
            connection.execute(_DOUBT_TEXTS, (given,))
        return
    messages = sorted(
        {(each.user_id, each.number) for each in publications if each.kind is Kind.MESSAGE and each.payload}
    )
    texts = sorted({each.user_id for each in publications if each.kind is Kind.TEXT})
    with connection.pipeline():
        if messages:
            connection.execute(_DOUBT_SOME, columns(messages, 2))
        if texts:
            connection.execute(_DOUBT_SOME_TEXTS, (texts,))


def first_and_highest(connection: PostgresConnection) -> tuple[int | None, int]:
    """The lowest row that goes before the views, None when none waits; and the highest number that was ever given."""
    [(first, highest)] = connection.execute(_FIRST_MESSAGE).fetchall()
    return first, highest


def oldest_new_ms(connection: PostgresConnection) -> int | None:
    """When the oldest message came that waits in its own row, in Unix milliseconds; None when none does."""
    [(number,)] = connection.execute("SELECT min(number) FROM message WHERE waits <> 0").fetchall()
    return None if number is None else ids.received_ms(number)


def _connection(transaction: Transaction) -> PostgresConnection:
    return cast("PostgresConnection", transaction.connection)
