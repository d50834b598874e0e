"""Boxes in the database: what a unit of work has to know of them, and what it comes to, each in a few statements.

`bridge/box` decides; nothing is decided here. The number of statements does not grow with the mails of a group.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.box import judging
from bridge.box.box import Box, Loaded
from bridge.box.live_set import Moves, horizon, may_leave
from bridge.contract import ids
from bridge.contract.expiry import DAY_MS
from bridge.store import bulk, live, marks, notifications, payloads, storms, views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.box.box import Mail
    from bridge.box.live_set import Retention
    from bridge.box.writes import Writes
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


BOXES = f"""
SELECT u.user_id, u.name, u.views, u.last_number, u.live, r.document, {payloads.OF_USER},
    EXISTS (SELECT 1 FROM push p WHERE p.user_id = u.user_id AND p.forgotten_ms IS NULL),
    (SELECT m.number FROM message m INDEXED BY message_live WHERE m.user_id = u.user_id AND m.live = 1
     ORDER BY m.number LIMIT 1), u.cell
FROM user u LEFT JOIN rules r ON r.user_id = u.user_id
WHERE u.user_id IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - ours
COPIES = """
WITH wanted (user_id, message_id) AS (VALUES {rows})
SELECT m.user_id, m.message_id, m.digest, max(m.number) FROM wanted w
CROSS JOIN message m INDEXED BY message_copy ON m.user_id = w.user_id AND m.message_id = w.message_id
WHERE m.message_id <> ''
    AND substr(m.message_id, 1, 200) = substr(w.message_id, 1, 200) AND m.number >= ?
GROUP BY m.user_id, m.message_id, m.digest
"""
OLDEST = """
SELECT number FROM message INDEXED BY message_live WHERE user_id = ?1 AND live = 1 AND number < ?2
UNION SELECT * FROM (SELECT number FROM message INDEXED BY message_live WHERE user_id = ?1 AND live = 1
    ORDER BY number LIMIT ?3) AS w
ORDER BY number
"""
RANG = "SELECT user_id, at_ms FROM ring WHERE user_id IN (SELECT value FROM json_each(?))"
_NEXT_BODY = "SELECT seq FROM sqlite_sequence WHERE name = 'body'"
_BODIES = "INSERT INTO body (body_id, received_ms, size, raw, file)"
_MESSAGES = """
INSERT INTO message (user_id, number, header, message_id, digest, size, body_id, seen, live, waits, silent,
    alert, reason, sender, recipient, peer, protocol)
"""
COUNTS = """
UPDATE user SET last_number = w.value ->> 1, live = live + (w.value ->> 2), kept = kept + (w.value ->> 3),
    stored = stored + (w.value ->> 4)
FROM json_each(?) w WHERE user.user_id = w.value ->> 0
"""
STORED = "UPDATE stored SET bytes = bytes + ?"
_FORGET_RINGS = "DELETE FROM ring WHERE user_id = ? AND (at_ms <= ? OR at_ms > ?)"


def load(transaction: Transaction, mails: Sequence[Mail], retention: Retention) -> Loaded:
    """What these mails are held against."""
    connection = transaction.connection
    coming: dict[int, int] = {}
    wanted: set[tuple[int, str]] = set()
    for mail in mails:
        users = {recipient.user_id for recipient in mail.envelope.recipients}
        for user_id in users:
            coming[user_id] = coming.get(user_id, 0) + 1
        if mail.message_id:
            wanted.update((user_id, mail.message_id) for user_id in users)
    last = connection.execute(_NEXT_BODY).fetchone()
    return Loaded(
        boxes=_boxes(transaction, coming, retention),
        copies=_copies(transaction, sorted(wanted)),
        next_body=1 + (0 if last is None else last[0]),
    )


def _boxes(transaction: Transaction, coming: Mapping[int, int], retention: Retention) -> dict[int, Box]:
    connection, young = transaction.connection, horizon(transaction.now_ms, retention.days)
    rows = connection.execute(BOXES, (json.dumps(list(coming)),)).fetchall()
    rated = [row[0] for row in rows if row[5] is not None and judging.read(row[5])[0].rate is not None]
    rang = _rang(connection, rated) if rated else {}
    boxes = {}
    for user_id, name, switched_on, last_number, counted, document, payload, rung, oldest, cell in rows:
        some = may_leave(counted, coming[user_id], retention)
        leaving: tuple[int, ...] = ()
        if oldest is not None and (some or oldest < young):
            leaving = tuple(row[0] for row in connection.execute(OLDEST, (user_id, young, some)))
        boxes[user_id] = Box(
            user_id=user_id,
            name=name,
            views=views.parse(switched_on),
            last_number=last_number,
            live=counted,
            oldest=leaving,
            rules=document,
            rang_ms=tuple(rang.get(user_id, ())),
            payload=payload,
            rung=bool(rung),
            cell=cell,
        )
    return boxes


def _rang(connection: StoreConnection, users: Sequence[int]) -> dict[int, list[int]]:
    rang: dict[int, list[int]] = {}
    for user_id, at_ms in connection.execute(RANG, (json.dumps(users),)):
        rang.setdefault(user_id, []).append(at_ms)
    return rang


def _copies(transaction: Transaction, wanted: Sequence[tuple[int, str]]) -> dict[tuple[int, str, bytes], int]:
    since = ids.at(transaction.now_ms - DAY_MS)
    found: dict[tuple[int, str, bytes], int] = {}
    for some in bulk.pieces(wanted):
        query = COPIES.format(rows=", ".join(["(?, ?)"] * len(some)))
        values = [value for pair in some for value in pair]
        for user_id, message_id, digest, number in transaction.connection.execute(query, (*values, since)):
            found[user_id, message_id, digest] = number
    return found


def write(transaction: Transaction, loaded: Loaded, writes: Writes) -> None:
    """Write what a unit of work came to."""
    connection, boxes = transaction.connection, loaded.boxes
    bulk.insert(connection, _BODIES, writes.bodies)
    if writes.bodies:
        connection.execute(STORED, (sum(body.size for body in writes.bodies),))
    bulk.insert(connection, _MESSAGES, writes.messages)
    if writes.boxes:
        connection.execute(COUNTS, (json.dumps(writes.boxes),))
    for user_id, numbers in writes.leaves.items():
        live.move(transaction, user_id, Moves(leaves=numbers))
        marks.messages(transaction, user_id, boxes[user_id].name, numbers)
    marks.views_of_all(transaction, [(user_id, boxes[user_id].name, boxes[user_id].views) for user_id in writes.views])
    _ring(transaction, writes)
    transaction.fresh += writes.fresh


def _ring(transaction: Transaction, writes: Writes) -> None:
    now_ms = transaction.now_ms
    if writes.rung:
        notifications.note_all(transaction, writes.rung)
    if not writes.rang_since:
        return
    forgotten = [(user_id, since, now_ms) for user_id, since in writes.rang_since.items()]
    transaction.connection.executemany(_FORGET_RINGS, forgotten)
    bulk.insert(transaction.connection, "INSERT INTO ring", writes.rings)
    for user_id, number, header, window_ms in writes.gathered:
        storms.gather(transaction, user_id, number, header, window_ms=window_ms)
