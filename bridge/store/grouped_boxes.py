"""Boxes in PostgreSQL: what a unit of work has to know in one round trip, and what it comes to in another.

As `boxes.py`, whose operations these are there. The boxes are locked first, in their order, so that of all bridges one
at a time works on each; what is read behind that is as the last of them left it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bridge.box import judging
from bridge.box.box import Box, Loaded
from bridge.box.live_set import horizon
from bridge.contract import ids, topics
from bridge.contract.expiry import DAY_MS
from bridge.contract.publication import Kind
from bridge.store import live, payloads, storms, views

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bridge.box.box import Mail
    from bridge.box.live_set import Retention
    from bridge.box.writes import Writes
    from bridge.postgres.connection import PostgresConnection
    from bridge.store.writer import Transaction

BLOCK = 1024
"""So many numbers of bodies a transaction has for itself."""
LOCK = 'SELECT user_id FROM "user" WHERE user_id = ANY(?::bigint[]) ORDER BY user_id FOR NO KEY UPDATE'
BOXES = f"""
SELECT u.user_id, u.name, u.views, u.last_number, u.live, r.document, {payloads.OF_USER},
    EXISTS (SELECT 1 FROM push p WHERE p.user_id = u.user_id AND p.forgotten_ms IS NULL),
    ARRAY(
        (SELECT m.number FROM message m WHERE m.user_id = u.user_id AND m.live = 1 AND m.number < ?)
        UNION
        (SELECT m.number FROM message m WHERE m.user_id = u.user_id AND m.live = 1 ORDER BY m.number
         LIMIT least(u.live, greatest(0, u.live + c.coming - ?)))
        ORDER BY 1
    ),
    CASE WHEN r.document IS NOT NULL THEN ARRAY(SELECT at_ms FROM ring WHERE ring.user_id = u.user_id) END
FROM unnest(?::bigint[], ?::bigint[]) c(user_id, coming)
JOIN "user" u ON u.user_id = c.user_id LEFT JOIN rules r ON r.user_id = u.user_id
"""  # noqa: S608 - ours
COPIES = """
SELECT w.user_id, w.message_id, m.digest, max(m.number)
FROM unnest(?::bigint[], ?::text[]) w(user_id, message_id)
JOIN message m ON m.user_id = w.user_id AND m.message_id = w.message_id AND m.message_id <> ''
    AND substr(m.message_id, 1, 200) = substr(w.message_id, 1, 200)
WHERE m.number >= ? GROUP BY w.user_id, w.message_id, m.digest
"""
BODIES = """
INSERT INTO body (body_id, received_ms, size, raw, file)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bytea[], ?::text[])
"""
UPLOADED = "DELETE FROM upload WHERE file = ANY(?::text[])"
STORED = "UPDATE stored SET bytes = bytes + ? WHERE slot = pg_backend_pid() % 64"
MESSAGES = """
INSERT INTO message (user_id, number, header, message_id, digest, size, body_id, seen, live, waits, silent,
    alert, reason, sender, recipient, peer, protocol)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bytea[], ?::text[], ?::bytea[], ?::bigint[], ?::bigint[],
    ?::smallint[], ?::smallint[], ?::integer[], ?::smallint[],
    ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
"""
COUNTS = """
UPDATE "user" u SET last_number = w.last_number, live = u.live + w.live, kept = u.kept + w.kept,
    stored = u.stored + w.stored
FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
    w(user_id, last_number, live, kept, stored)
WHERE u.user_id = w.user_id
"""
AGAIN = """
ON CONFLICT (path) DO UPDATE SET
    generation = outbox.generation + 1, kind = excluded.kind, user_id = excluded.user_id, number = excluded.number
"""
MARK = f"""
INSERT INTO outbox (path, kind, user_id, number)
SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[]) w(path, kind, user_id, number) ORDER BY path
{AGAIN}
"""  # noqa: S608 - ours
LEAVE = f"""
WITH moved AS (
    UPDATE message m SET live = 0, waits = CASE WHEN m.waits & 1 <> 0 THEN m.waits + 4 ELSE m.waits END
    FROM unnest(?::bigint[], ?::bigint[], ?::text[]) w(user_id, number, path)
    WHERE m.user_id = w.user_id AND m.number = w.number RETURNING w.path, m.user_id, m.number, m.waits
)
INSERT INTO outbox (path, kind, user_id, number)
SELECT path, '{Kind.MESSAGE}', user_id, number FROM moved WHERE waits & 1 = 0 ORDER BY path
{AGAIN}
"""  # noqa: S608 - ours
FORGET_RINGS = """
DELETE FROM ring USING unnest(?::bigint[], ?::bigint[]) w(user_id, since)
WHERE ring.user_id = w.user_id AND (ring.at_ms <= w.since OR ring.at_ms > ?)
"""
RINGS = "INSERT INTO ring SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[])"
NOTE = """
INSERT INTO notification (user_id, number, device, created_ms)
SELECT p.user_id, w.number, p.device, ? FROM unnest(?::bigint[], ?::bigint[]) w(user_id, number)
JOIN push p ON p.user_id = w.user_id AND p.forgotten_ms IS NULL
ON CONFLICT DO NOTHING
"""


def load(transaction: Transaction, mails: Sequence[Mail], retention: Retention) -> Loaded:
    """What these mails are held against; their boxes are this transaction's from now on."""
    connection = _connection(transaction)
    coming: dict[int, int] = {}
    wanted: set[tuple[int, str]] = set()
    for mail in mails:
        users = {recipient.user_id for recipient in mail.envelope.recipients}
        for user_id in users:
            coming[user_id] = coming.get(user_id, 0) + 1
        if mail.message_id:
            wanted.update((user_id, mail.message_id) for user_id in users)
    locked = sorted(coming)
    young = horizon(transaction.now_ms, retention.days)
    since = ids.at(transaction.now_ms - DAY_MS)
    with connection.pipeline():
        connection.execute(LOCK, (locked,))
        blocks = connection.execute("SELECT nextval('body_block')")
        found = connection.execute(BOXES, (young, retention.count, locked, [coming[user_id] for user_id in locked]))
        copies = connection.execute(COPIES, (*columns(sorted(wanted), 2), since)) if wanted else None
    [(block,)] = blocks.fetchall()
    return Loaded(
        boxes={row[0]: _box(row) for row in found.fetchall()},
        copies=_as_asked(copies.fetchall() if copies is not None else (), wanted),
        next_body=block * BLOCK,
    )


def _box(row: tuple[Any, ...]) -> Box:
    user_id, name, switched_on, last_number, counted, document, payload, rung, oldest, rang = row
    rated = document is not None and judging.read(document)[0].rate is not None
    return Box(
        user_id=user_id,
        name=name,
        views=views.parse(switched_on),
        last_number=last_number,
        live=counted,
        oldest=tuple(oldest),
        rules=document,
        rang_ms=tuple(rang) if rated else (),
        payload=payload,
        rung=bool(rung),
    )


def _as_asked(
    rows: Iterable[tuple[int, str, bytes, int]], wanted: Iterable[tuple[int, str]]
) -> dict[tuple[int, str, bytes], int]:
    """Copies under the Message-ID that was asked for, of which U+0000 is kept as something else."""
    written = {(user_id, text.replace("\0", "\ufffd")): text for user_id, text in wanted if "\0" in text}
    return {(user_id, written.get((user_id, text), text), digest): number for user_id, text, digest, number in rows}


def write(transaction: Transaction, loaded: Loaded, writes: Writes) -> None:
    """Write what a unit of work came to."""
    connection, boxes = _connection(transaction), loaded.boxes
    with connection.pipeline():
        if writes.bodies:
            connection.execute(BODIES, columns(writes.bodies, 5))
            connection.execute(STORED, (sum(body.size for body in writes.bodies),))
            uploaded = [body.file for body in writes.bodies if body.file is not None]
            if uploaded:
                connection.execute(UPLOADED, (uploaded,))
        if writes.messages:
            connection.execute(MESSAGES, columns(writes.messages, 17))
        if writes.boxes:
            connection.execute(COUNTS, columns(writes.boxes, 5))
        if writes.leaves:
            connection.execute(LEAVE, columns(sorted(_leaving(writes.leaves, boxes), key=lambda row: row[2]), 3))
            transaction.messages_marked = True
        marked = _views([boxes[user_id] for user_id in writes.views])
        if marked:
            connection.execute(MARK, columns(marked, 4))
            transaction.views_marked = True
        _ring(transaction, writes)
    for user_id, number, header, window_ms in writes.gathered:
        storms.gather(transaction, user_id, number, header, window_ms=window_ms)
    transaction.marked.update(row[0] for row in writes.boxes)
    transaction.fresh += writes.fresh


def _ring(transaction: Transaction, writes: Writes) -> None:
    connection, now_ms = transaction.connection, transaction.now_ms
    if writes.rang_since:
        connection.execute(FORGET_RINGS, (*columns(list(writes.rang_since.items()), 2), now_ms))
    if writes.rings:
        connection.execute(RINGS, columns(writes.rings, 3))
    if writes.rung:
        connection.execute(NOTE, (now_ms, *columns(writes.rung, 2)))
        transaction.rung = True


def _leaving(leaves: Mapping[int, Iterable[int]], boxes: Mapping[int, Box]) -> list[tuple[int, int, str]]:
    return [
        (user_id, number, topics.message(boxes[user_id].name, ids.encode(number)))
        for user_id, numbers in leaves.items()
        for number in numbers
    ]


def _views(some: Iterable[Box]) -> list[tuple[str, str, int, int]]:
    """Rows of the digest and of the views that are on."""
    return [
        (topics.view(box.name, view), view.value, box.user_id, 0)
        for box in some
        for view in topics.STATE_VIEWS
        if view is Kind.BOX or view in box.views
    ]


def bring_up_to_date(transaction: Transaction, retention: Retention) -> None:
    """As `live.bring_up_to_date`, on boxes that nobody else changes meanwhile."""
    touched = sorted(transaction.changed | transaction.doubtful)
    if touched:
        _connection(transaction).execute(LOCK, (touched,))
        live.bring_up_to_date(transaction, retention)


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as their columns; `width` says how many where there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _connection(transaction: Transaction) -> PostgresConnection:
    return cast("PostgresConnection", transaction.connection)
