"""What waits for the broker in the database: topics whose state there may differ from the desired one.

A new message waits in its own row (`message.waits`), everything else in one of the outbox. Neither says what to
publish: that is worked out from the truth when its turn comes (`desired.py`), so the latest state wins and a state that
nobody ever saw is never published. Invariants:

- What waits goes only when the broker acknowledged the state that was desired at its generation, or
  when the desired state is "nothing" and the broker cannot have been told anything else.
- Whatever makes the desired state of a topic differ from `held` marks the topic in the same
  transaction, in the row where it waits already if it does.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from bridge.box.writes import Waits
from bridge.contract import ids, topics
from bridge.contract.publication import Kind
from bridge.model import Storm
from bridge.store import desired, payloads, storms, views
from bridge.store.backlog import FIRST
from bridge.store.desired import Known, Mail, Owner, Row, Told
from bridge.store.live import live_numbers, newest_live, unread

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from bridge.contract.publication import Publication
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


MESSAGES = f"""
SELECT o.path, o.kind, o.generation, o.user_id, o.number, m.header, m.live, m.held, u.name, u.views, {payloads.OF_USER},
    s.until_ms, s.more, s.from_name, s.from_address
FROM outbox o
LEFT JOIN message m ON m.user_id = o.user_id AND m.number = o.number
LEFT JOIN user u ON u.user_id = o.user_id
LEFT JOIN storm s ON o.kind = '{Kind.EVENT}' AND s.user_id = o.user_id AND s.first = o.number
WHERE o.kind IN ({FIRST}) ORDER BY o.seq LIMIT ?
"""  # noqa: S608 - ours
NEW_MESSAGES = f"""
SELECT m.user_id, m.number, m.waits, m.header, m.live, m.held, u.name, u.views, {payloads.OF_USER}
FROM message m INDEXED BY message_waits CROSS JOIN user u ON u.user_id = m.user_id
WHERE m.waits <> 0 AND m.waits >= ? ORDER BY m.body_id LIMIT ?
"""  # noqa: S608 - ours
_VIEWS = f"""
SELECT o.path, o.kind, o.generation, o.user_id, u.views, u.text_held
FROM outbox o LEFT JOIN user u ON u.user_id = o.user_id
WHERE o.kind NOT IN ({FIRST}) ORDER BY o.seq LIMIT ?
"""  # noqa: S608 - ours
_AT_CELL = "AND coalesce(u.cell, 0) = ?"
_VIEWS_AT = _VIEWS.replace("ORDER BY", f"{_AT_CELL} AND o.seq >= ? ORDER BY")
OLDEST_NEW = "SELECT number FROM message INDEXED BY message_waits WHERE waits <> 0 ORDER BY body_id LIMIT 1"
SETTLE_HEADERS = """
UPDATE message SET waits = CASE WHEN waits >> 2 = w.value ->> 2 THEN waits & 2 ELSE waits END,
    held = coalesce(w.value ->> 3, held),
    told_ms = CASE WHEN w.value ->> 3 = 1 THEN coalesce(told_ms, ?) ELSE told_ms END
FROM json_each(?) w WHERE message.user_id = w.value ->> 0 AND message.number = w.value ->> 1
RETURNING waits & 1
"""
SETTLE_EVENTS = """
UPDATE message SET waits = waits & ~2
FROM json_each(?) w WHERE message.user_id = w.value ->> 0 AND message.number = w.value ->> 1
"""
TAKE_OUT = "DELETE FROM outbox WHERE path = ? AND generation = ?"
SETTLE_BOTH = SETTLE_HEADERS.replace("THEN waits & 2 ELSE waits END", "THEN 0 ELSE waits & ~2 END")
DOUBT_NEW = """
UPDATE message INDEXED BY message_waits SET held = 1
WHERE waits <> 0 AND waits & 1 <> 0 AND (body_id IS NULL OR body_id <=
    (SELECT max(body_id) FROM
        (SELECT body_id FROM message INDEXED BY message_waits WHERE waits <> 0 ORDER BY body_id LIMIT ?)))
"""
_DOUBT_NEW_AT = """
UPDATE message INDEXED BY message_waits SET held = 1 WHERE waits <> 0 AND waits & 1
    AND (SELECT cell FROM user u WHERE u.user_id = message.user_id) = ?1 AND (body_id IS NULL OR body_id <=
    (SELECT max(body_id) FROM (SELECT m.body_id FROM message m INDEXED BY message_waits CROSS JOIN user u
        ON u.user_id = m.user_id WHERE m.waits <> 0 AND u.cell = ?1 ORDER BY m.body_id LIMIT ?2)))
"""
_DOUBT_MARKED = """
UPDATE message SET held = 1 WHERE held = 0 AND (user_id, number) IN
    (SELECT o.user_id, o.number FROM outbox o {join} WHERE o.kind = ? {where} ORDER BY o.seq LIMIT ?)
"""
_JOIN = "LEFT JOIN user u ON u.user_id = o.user_id"
_FIRST_MESSAGE = f"SELECT min(seq) FROM outbox WHERE kind IN ({FIRST})"  # noqa: S608 - ours


def take_messages(
    connection: StoreConnection,
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    new: bool = True,
) -> list[Publication]:
    """The first waiting messages and events, without those in flight.

    New ones in their order, and between them what was marked in the order of the marks, so that neither keeps the other
    waiting. Without `new` of the new ones only those that were marked again.
    """
    marked = connection.execute(MESSAGES, (limit,)).fetchall()
    fresh = connection.execute(NEW_MESSAGES, (0 if new else 4, limit)).fetchall()
    return taken(marked, fresh, limit=limit, now_ms=now_ms, busy=busy, days=days)


def taken(
    rows: Iterable[tuple[Any, ...]],
    fresh: Iterable[tuple[Any, ...]],
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
) -> list[Publication]:
    """What is to be published of rows of the outbox and of messages that wait in their own, one of each in turn."""
    marked = (row for row in rows if row[0] not in busy)
    found = []
    for row in fresh:
        found += new_publications(row, busy, now_ms=now_ms, days=days)
        found += [marked_publication(row, now_ms=now_ms, days=days) for row in islice(marked, 1)]
    found += [marked_publication(row, now_ms=now_ms, days=days) for row in marked]
    return found[:limit]


def new_publications(found: tuple[Any, ...], busy: Container[str], *, now_ms: int, days: float) -> list[Publication]:
    """Header and event of a new message, as far as they wait and are not in flight."""
    user_id, number, waits, header, live, held, name, switched_on, payload = found
    path = topics.message(name, ids.encode(number))
    event_path = f"{topics.view(name, Kind.EVENT)}/{ids.encode(number)}"
    rows = []
    if waits & Waits.HEADER.value and path not in busy:
        rows.append(Row(path, Kind.MESSAGE, waits >> 2, user_id, number))
    if waits & Waits.EVENT.value and event_path not in busy:
        rows.append(Row(event_path, Kind.EVENT, 0, user_id, number))
    if not rows:
        return []
    known = Known(
        owner=Owner(name, views.parse(switched_on), payload), mail=Mail(header, live=bool(live), held=bool(held))
    )
    return [replace(desired.MESSAGES[row.kind](row, known, now_ms=now_ms, days=days), new=True) for row in rows]


def marked_publication(found: tuple[Any, ...], *, now_ms: int, days: float) -> Publication:
    """What a row of the outbox comes to, as `MESSAGES` found it."""
    path, kind, generation, user_id, number, header, live, held, name, switched_on, payload, until_ms, *storm = found
    row = Row(path, Kind(kind), generation, user_id, number)
    known = Known(
        owner=None if name is None else Owner(name, views.parse(switched_on), payload),
        mail=None if header is None else Mail(header, live=bool(live), held=bool(held)),
        told=None if until_ms is None else Told(Storm(*storm), until_ms),
    )
    return desired.MESSAGES[row.kind](row, known, now_ms=now_ms, days=days)


def take_views(
    connection: StoreConnection,
    *,
    limit: int,
    now_ms: int,
    busy: Container[str],
    days: float,
    at: tuple[int, int] | None = None,
) -> list[Publication]:
    """The first waiting views with their newest values, without those in flight or not yet due.

    They are all, or those `at` a cell behind a row of the outbox.
    """
    taken = []
    found = connection.execute(_VIEWS, (limit,)) if at is None else connection.execute(_VIEWS_AT, (*at, limit))
    rows = [row for row in found if row[0] not in busy]
    for path, kind, generation, user_id, switched_on, text_held in rows:
        row, payload = Row(path, Kind(kind), generation, user_id), b""
        if switched_on is not None and desired.view_is_on(row.kind, views.parse(switched_on)):
            payload = view_payload(connection, user_id, row.kind, now_ms=now_ms, days=days)
        taken.append(desired.view(row, payload, text_held=text_held))
    return taken


def view_payload(connection: StoreConnection, user_id: int, kind: Kind, *, now_ms: int, days: float) -> bytes:
    """What a view of an existing user should say now; empty when there is nothing to say."""
    if kind is Kind.BOX:
        return desired.box(live_numbers(connection, user_id))
    if kind is Kind.UNREAD:
        return desired.unread(unread(connection, user_id, now_ms=now_ms, days=days))
    newest = newest_live(connection, user_id, ringing=kind is Kind.TEXT)
    if kind is Kind.TEXT:
        number, header = newest or (0, None)
        storm, limit = storms.told(connection, user_id, after=number), payloads.of_user(connection, user_id)
        return desired.text(header, storm, limit=limit)
    return b"" if newest is None else desired.last(*newest)


def settle(transaction: Transaction, publications: Iterable[Publication], *, cell: int | None = None) -> None:
    """Take out what the broker acknowledged; what was marked again meanwhile still waits, and is told as news.

    What the broker of a `cell` holds says nothing of users who are at another by now.
    """
    publications = list(publications)
    _settle_new(transaction, [each for each in publications if each.new])
    rows = [each for each in publications if not each.new]
    if rows:
        _settle_rows(transaction, rows, cell=cell)


def _settle_new(transaction: Transaction, publications: Sequence[Publication]) -> None:
    """What waited in rows of messages: a statement for those of each kind, whatever their number.

    Mostly header and event come together, and the row is written once.
    """
    events = {(each.user_id, each.number) for each in publications if each.kind is Kind.EVENT}
    headers: list[tuple[int, int, int, int | None]] = []
    both: list[tuple[int, int, int, int | None]] = []
    for each in publications:
        if each.kind is Kind.MESSAGE:
            held = None if not each.needed else 1 if each.payload else 0
            whose = (each.user_id, each.number)
            (both if whose in events else headers).append((*whose, each.generation, held))
            events.discard(whose)
    now_ms, connection = transaction.now_ms, transaction.connection
    for statement, some in ((SETTLE_BOTH, both), (SETTLE_HEADERS, headers)):
        if some:
            still = connection.execute(statement, (now_ms, json.dumps(some))).fetchall()
            # A message that is gone meanwhile, as with its user, left a tombstone to publish.
            transaction.messages_marked |= len(still) < len(some) or any(waits for (waits,) in still)
    if events:
        connection.execute(SETTLE_EVENTS, (json.dumps(sorted(events)),))


def _settle_rows(transaction: Transaction, publications: Sequence[Publication], *, cell: int | None) -> None:
    connection, now_ms = transaction.connection, transaction.now_ms
    settled = [p for p in publications if p.kind is Kind.MESSAGE and p.needed]
    held = [(1, now_ms, p.user_id, p.number) if p.payload else (0, None, p.user_id, p.number) for p in settled]
    connection.executemany(
        "UPDATE message SET held = ?, told_ms = coalesce(told_ms, ?) WHERE user_id = ? AND number = ?", held
    )
    texts = [(p.payload, p.user_id) for p in publications if p.kind is Kind.TEXT and p.needed]
    here = "" if cell is None else f" AND cell = {cell:d}"
    connection.executemany(f"UPDATE user SET text_held = ? WHERE user_id = ?{here}", texts)  # noqa: S608 - ours
    views = [(p.path, p.generation) for p in publications if p.kind.is_view]
    others = [(p.path, p.generation) for p in publications if not p.kind.is_view]
    transaction.views_marked |= connection.executemany(TAKE_OUT, views).rowcount < len(views)
    transaction.messages_marked |= connection.executemany(TAKE_OUT, others).rowcount < len(others)


def doubt(
    transaction: Transaction, publications: Sequence[Publication] | None, *, limit: int, cell: int | None = None
) -> None:
    """Note that the broker may hold what waits: these, or the first `limit` messages and all texts when None.

    They were in flight when the connection or the process ended, so the broker or some device may
    have them. If they are to be cleared before they are sent again, that must be said all the same.
    """
    connection = transaction.connection
    if publications is None:
        if cell is None:
            connection.execute(DOUBT_NEW, (limit,))
            connection.execute(_DOUBT_MARKED.format(join="", where=""), (Kind.MESSAGE, limit))
        else:
            connection.execute(_DOUBT_NEW_AT, (cell, limit))
            connection.execute(_DOUBT_MARKED.format(join=_JOIN, where=_AT_CELL), (Kind.MESSAGE, cell, limit))
        connection.execute(
            "UPDATE user SET text_held = NULL WHERE user_id IN (SELECT user_id FROM outbox WHERE kind = ?)",
            (Kind.TEXT,),
        )
        return
    connection.executemany(
        "UPDATE message SET held = 1 WHERE held = 0 AND user_id = ? AND number = ?",
        [(each.user_id, each.number) for each in publications if each.kind is Kind.MESSAGE and each.payload],
    )
    connection.executemany(
        "UPDATE user SET text_held = NULL WHERE user_id = ?",
        [(each.user_id,) for each in publications if each.kind is Kind.TEXT],
    )


def first_and_highest(connection: StoreConnection) -> tuple[int | None, int]:
    """The lowest row that goes before the views, None when none waits; and the highest number that a row ever had."""
    first: int | None = connection.execute(_FIRST_MESSAGE).fetchone()[0]
    highest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return first, 0 if highest is None else highest[0]


def waits_new(connection: StoreConnection, user: str, number: int) -> bool:
    """Whether the header of a message waits in its own row."""
    row = connection.execute(
        "SELECT m.waits & 1 FROM user u JOIN message m USING (user_id) WHERE u.name = ? AND m.number = ?",
        (user, number),
    ).fetchone()
    return row is not None and bool(row[0])


def oldest_new_ms(connection: StoreConnection) -> int | None:
    """When the oldest message came that waits in its own row, in Unix milliseconds; None when none does."""
    found = connection.execute(OLDEST_NEW).fetchone()
    return None if found is None else ids.received_ms(found[0])
