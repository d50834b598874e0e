"""The outbox in the database: topics whose state on the broker may differ from the desired one.

A row says nothing about what to publish: that is worked out from the truth when its turn comes
(`desired.py`), so the latest state wins and a state that nobody ever saw is never published. Invariants:

- A row leaves only when the broker acknowledged the state that was desired at its generation, or
  when the desired state is "nothing" and the broker cannot have been told anything else.
- Whatever makes the desired state of a topic differ from `held` marks the topic in the same
  transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.contract.publication import Kind
from bridge.model import Storm
from bridge.store import desired, payloads, storms, views
from bridge.store.desired import Known, Mail, Owner, Row, Told
from bridge.store.live import live_numbers, newest_live, unread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Container, Iterable, Sequence

    from bridge.contract.publication import Publication
    from bridge.store.writer import Transaction

_FIRST = ", ".join(f"'{kind}'" for kind in Kind if not kind.is_view)
"""The kinds that go before the views, written as in the partial indexes that serve them."""
_MESSAGES = f"""
SELECT o.path, o.kind, o.generation, o.user_id, o.number, m.header, m.live, m.held, u.name, u.views, {payloads.OF_USER},
    s.until_ms, s.more, s.from_name, s.from_address
FROM outbox o
LEFT JOIN message m ON m.user_id = o.user_id AND m.number = o.number
LEFT JOIN user u ON u.user_id = o.user_id
LEFT JOIN storm s ON o.kind = '{Kind.EVENT}' AND s.user_id = o.user_id AND s.first = o.number
WHERE o.kind IN ({_FIRST}) ORDER BY o.seq LIMIT ?
"""  # noqa: S608 - ours
_VIEWS = f"""
SELECT o.path, o.kind, o.generation, o.user_id, u.views, u.text_held
FROM outbox o LEFT JOIN user u ON u.user_id = o.user_id
WHERE o.kind NOT IN ({_FIRST}) ORDER BY o.seq LIMIT ?
"""  # noqa: S608 - ours
_WAITING_MESSAGES = f"SELECT count(*) FROM outbox WHERE kind IN ({_FIRST})"  # noqa: S608 - ours
_FIRST_MESSAGE = f"SELECT min(seq) FROM outbox WHERE kind IN ({_FIRST})"  # noqa: S608 - ours


def take_messages(
    connection: sqlite3.Connection, *, limit: int, now_ms: int, busy: Container[str], days: float
) -> list[Publication]:
    """The first waiting messages and events in the order of their marks, without those in flight."""
    rows = [row for row in connection.execute(_MESSAGES, (limit,)) if row[0] not in busy]
    return [_message(row, now_ms=now_ms, days=days) for row in rows]


def _message(found: tuple[Any, ...], *, now_ms: int, days: float) -> Publication:
    path, kind, generation, user_id, number, header, live, held, name, switched_on, payload, until_ms, *storm = found
    row = Row(path, Kind(kind), generation, user_id, number)
    known = Known(
        owner=None if name is None else Owner(name, views.parse(switched_on), payload),
        mail=None if header is None else Mail(header, live=bool(live), held=bool(held)),
        told=None if until_ms is None else Told(Storm(*storm), until_ms),
    )
    return desired.MESSAGES[row.kind](row, known, now_ms=now_ms, days=days)


def take_views(
    connection: sqlite3.Connection, *, limit: int, now_ms: int, busy: Container[str], days: float
) -> list[Publication]:
    """The first waiting views with their newest values, without those in flight or not yet due."""
    taken = []
    rows = [row for row in connection.execute(_VIEWS, (limit,)) if row[0] not in busy]
    for path, kind, generation, user_id, switched_on, text_held in rows:
        row, payload = Row(path, Kind(kind), generation, user_id), b""
        if switched_on is not None and desired.view_is_on(row.kind, views.parse(switched_on)):
            payload = view_payload(connection, user_id, row.kind, now_ms=now_ms, days=days)
        taken.append(desired.view(row, payload, text_held=text_held))
    return taken


def view_payload(connection: sqlite3.Connection, user_id: int, kind: Kind, *, now_ms: int, days: float) -> bytes:
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


def settle(transaction: Transaction, publications: Iterable[Publication]) -> None:
    """Take out what the broker acknowledged, unless it was marked again meanwhile."""
    connection = transaction.connection
    publications = list(publications)
    now_ms = transaction.now_ms
    settled = [p for p in publications if p.kind is Kind.MESSAGE and p.needed]
    held = [(1, now_ms, p.user_id, p.number) if p.payload else (0, None, p.user_id, p.number) for p in settled]
    connection.executemany(
        "UPDATE message SET held = ?, told_ms = coalesce(told_ms, ?) WHERE user_id = ? AND number = ?", held
    )
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
            "SELECT path FROM (SELECT path FROM outbox WHERE kind = ? ORDER BY seq LIMIT ?)"
            " UNION ALL SELECT path FROM outbox WHERE kind = ?",
            (Kind.MESSAGE, limit, Kind.TEXT),
        )
        paths = [row[0] for row in first]
    transaction.connection.executemany(
        "UPDATE user SET text_held = NULL WHERE user_id = (SELECT user_id FROM outbox WHERE path = ? AND kind = ?)",
        [(path, Kind.TEXT) for path in paths],
    )
    transaction.connection.executemany(
        "UPDATE message SET held = 1 WHERE held = 0"
        " AND (user_id, number) IN (SELECT user_id, number FROM outbox WHERE path = ? AND kind = ?)",
        [(path, Kind.MESSAGE) for path in paths],
    )


def waiting(connection: sqlite3.Connection) -> int:
    """How many rows wait."""
    count: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return count


def waiting_of(connection: sqlite3.Connection, user_id: int) -> int:
    """How many rows of one user wait, also of one who is gone."""
    count: int = connection.execute("SELECT count(*) FROM outbox WHERE user_id = ?", (user_id,)).fetchone()[0]
    return count


def first_and_highest(connection: sqlite3.Connection) -> tuple[int | None, int]:
    """The lowest row that goes before the views, None when none waits; and the highest number that a row ever had."""
    first: int | None = connection.execute(_FIRST_MESSAGE).fetchone()[0]
    highest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return first, 0 if highest is None else highest[0]


def waiting_messages(connection: sqlite3.Connection) -> int:
    """How many rows wait that go before the views."""
    count: int = connection.execute(_WAITING_MESSAGES).fetchone()[0]
    return count
