"""The outbox in the database: topics whose state on the broker may differ from the desired one.

A row says nothing about what to publish: that is worked out from the truth when its turn comes, so
the latest state wins and a state that nobody ever saw is never published. Invariants:

- A row leaves only when the broker acknowledged the state that was desired at its generation, or
  when the desired state is "nothing" and the broker cannot have been told anything else.
- Whatever makes the desired state of a topic differ from `held` marks the topic in the same
  transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.contract import ids, wire
from bridge.contract.publication import Kind, Publication
from bridge.model import Storm
from bridge.store import storms
from bridge.store.live import live_numbers, newest_live, unread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Container, Iterable, Iterator, Sequence

    from bridge.store.writer import Transaction

EVENT_LIFETIME_MS = 300_000
"""An event older than this is news no more: automations are not flooded after an outage."""

_MESSAGES = """
SELECT o.path, o.kind, o.generation, o.user_id, o.number, m.header, m.live, m.held, u.name, u.views,
    s.until_ms, s.more, s.from_name, s.from_address
FROM outbox o
LEFT JOIN message m ON m.user_id = o.user_id AND m.number = o.number
LEFT JOIN user u ON u.user_id = o.user_id
LEFT JOIN storm s ON o.kind = 'event' AND s.user_id = o.user_id AND s.first = o.number
WHERE o.kind IN ('msg', 'event', 'stray') ORDER BY o.seq LIMIT ?
"""
_VIEWS = """
SELECT o.path, o.kind, o.generation, o.user_id, u.views, u.text_held
FROM outbox o LEFT JOIN user u ON u.user_id = o.user_id
WHERE o.kind NOT IN ('msg', 'event', 'stray') ORDER BY o.seq LIMIT ?
"""


def take_messages(
    connection: sqlite3.Connection, *, limit: int, now_ms: int, busy: Container[str]
) -> list[Publication]:
    """The first waiting messages and events in the order of their marks, without those in flight."""
    taken = []
    for row in connection.execute(_MESSAGES, (limit,)):
        path, stored_kind, generation, user_id, number, header, live, held, name, views, until_ms, *storm = row
        if path in busy:
            continue
        kind = Kind(stored_kind)
        topic, payload, needed = path, b"", True
        if kind is Kind.EVENT:
            topic = path.rpartition("/")[0]
            told_ms = ids.received_ms(number) if until_ms is None else until_ms
            if views is not None and "event" in views.split(",") and now_ms - told_ms < EVENT_LIFETIME_MS:
                if until_ms is not None:
                    payload = wire.storm_event_view(Storm(*storm), user=name)
                elif live:
                    payload = wire.event_view(number, wire.unpack_header(header), user=name)
            needed = bool(payload)
        elif kind is Kind.MESSAGE and live:
            payload = header
        elif kind is Kind.MESSAGE:
            needed = held != 0  # a message that is gone from the table may still be held
        taken.append(
            Publication(path, topic, payload, kind is not Kind.EVENT, kind, user_id, number, generation, needed)
        )
    return taken


def take_views(
    connection: sqlite3.Connection, *, limit: int, now_ms: int, busy: Container[str], days: float
) -> list[Publication]:
    """The first waiting views with their newest values, without those in flight or not yet due."""
    rows = [row for row in connection.execute(_VIEWS, (limit,)) if row[0] not in busy]
    return list(_views(connection, rows, now_ms=now_ms, days=days))


def _views(
    connection: sqlite3.Connection,
    rows: list[tuple[str, str, int, int, str | None, bytes | None]],
    *,
    now_ms: int,
    days: float,
) -> Iterator[Publication]:
    for path, stored_kind, generation, user_id, switched_on, text_held in rows:
        kind, payload = Kind(stored_kind), b""
        if switched_on is not None and (kind is Kind.BOX or kind in switched_on.split(",")):
            payload = view_payload(connection, user_id, kind, now_ms=now_ms, days=days)
        # Apps ring for whatever comes on `text`, so it comes only when it says something new.
        needed = kind is not Kind.TEXT or payload != text_held
        yield Publication(path, path, payload, True, kind, user_id, 0, generation, needed)


def view_payload(connection: sqlite3.Connection, user_id: int, kind: Kind, *, now_ms: int, days: float) -> bytes:
    """What a view of an existing user should say now; empty when there is nothing to say."""
    if kind is Kind.BOX:
        return wire.pack_digest(ids.encode(number) for number in live_numbers(connection, user_id))
    if kind is Kind.UNREAD:
        return str(unread(connection, user_id, now_ms=now_ms, days=days)).encode()
    newest = newest_live(connection, user_id, ringing=kind is Kind.TEXT)
    number, header = (0, None) if newest is None else (newest[0], wire.unpack_header(newest[1]))
    if kind is Kind.TEXT:
        return wire.text_view(header, storms.told(connection, user_id, after=number))
    return b"" if header is None else wire.last_view(number, header)


def settle(transaction: Transaction, publications: Iterable[Publication]) -> None:
    """Take out what the broker acknowledged, unless it was marked again meanwhile."""
    connection = transaction.connection
    publications = list(publications)
    held = [(1 if p.payload else 0, p.user_id, p.number) for p in publications if p.kind is Kind.MESSAGE and p.needed]
    connection.executemany("UPDATE message SET held = ? WHERE user_id = ? AND number = ?", held)
    texts = [(p.payload, p.user_id) for p in publications if p.kind is Kind.TEXT and p.needed]
    connection.executemany("UPDATE user SET text_held = ? WHERE user_id = ?", texts)
    connection.executemany(
        "DELETE FROM outbox WHERE path = ? AND generation = ?", [(p.path, p.generation) for p in publications]
    )


def doubt(transaction: Transaction, paths: Sequence[str] | None, *, limit: int) -> None:
    """Note that the broker may hold what waits: these paths, or the first `limit` messages and all texts when None.

    They were in flight when the connection or the process ended, so the broker or some device may
    have them. If they are to be cleared before they are sent again, that must be said all the same.
    """
    if paths is None:
        first = transaction.connection.execute(
            "SELECT path FROM (SELECT path FROM outbox WHERE kind = 'msg' ORDER BY seq LIMIT ?)"
            " UNION ALL SELECT path FROM outbox WHERE kind = 'text'",
            (limit,),
        )
        paths = [row[0] for row in first]
    transaction.connection.executemany(
        "UPDATE user SET text_held = NULL"
        " WHERE user_id = (SELECT user_id FROM outbox WHERE path = ? AND kind = 'text')",
        [(path,) for path in paths],
    )
    transaction.connection.executemany(
        "UPDATE message SET held = 1 WHERE held = 0"
        " AND (user_id, number) IN (SELECT user_id, number FROM outbox WHERE path = ? AND kind = 'msg')",
        [(path,) for path in paths],
    )


def waiting(connection: sqlite3.Connection) -> int:
    """How many rows wait."""
    count: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return count


def waiting_messages(connection: sqlite3.Connection) -> int:
    """How many rows wait that go before the views."""
    count: int = connection.execute("SELECT count(*) FROM outbox WHERE kind IN ('msg', 'event', 'stray')").fetchone()[0]
    return count
