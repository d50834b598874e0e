"""The broker's retained set compared with the truth in PostgreSQL: a few statements, whatever the number of topics.

As `repair.py`, whose operations these are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from bridge.contract import ids, topics
from bridge.contract.header import fitted
from bridge.contract.publication import Kind
from bridge.reconcile import Difference, fingerprint
from bridge.store import grouped_outbox, marks, payloads, repair, views
from bridge.store.desired import view_is_on
from bridge.store.grouped_boxes import AGAIN, MARK, columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bridge.postgres.connection import PostgresConnection
    from bridge.reconcile import Observed, Repair
    from bridge.store.writer import Transaction

_USERS = f"""
SELECT u.user_id, u.name, u.views, {payloads.OF_USER} FROM "user" u WHERE u.name = ANY(?::text[])
"""  # noqa: S608 - ours
_USERS_AT = f"{_USERS.rstrip()} AND u.cell = ?"
_ANYWHERE = 'SELECT name, user_id FROM "user" WHERE name = ANY(?::text[])'
_LIVE = "SELECT user_id, number, header FROM message WHERE user_id = ANY(?::bigint[]) AND live = 1"
_MARKED = "SELECT path, kind FROM outbox WHERE path = ANY(?::text[])"
_WAITING = """
SELECT w.path FROM unnest(?::bigint[], ?::bigint[], ?::text[]) w(user_id, number, path)
JOIN message m ON m.user_id = w.user_id AND m.number = w.number WHERE m.waits & 1 <> 0
"""
_HELD = """
UPDATE message m SET held = 1 FROM unnest(?::bigint[], ?::bigint[]) w(user_id, number)
WHERE m.user_id = w.user_id AND m.number = w.number
"""
_TEXTS = 'UPDATE "user" SET text_held = NULL WHERE user_id = ANY(?::bigint[])'
MARK_MESSAGES = f"""
WITH w AS (SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::text[]) w(user_id, number, path)),
waiting AS (
    UPDATE message m SET waits = m.waits + 4 FROM w
    WHERE m.user_id = w.user_id AND m.number = w.number AND m.waits & 1 <> 0 RETURNING w.path
)
INSERT INTO outbox (path, kind, user_id, number)
SELECT path, '{Kind.MESSAGE}', user_id, number FROM w WHERE path NOT IN (SELECT path FROM waiting) ORDER BY path
{AGAIN}
"""  # noqa: S608 - ours
"""Marks messages, in the rows where they wait if they do."""


def compare(connection: PostgresConnection, observed: Observed) -> Repair:
    """What would be repaired, without touching anything."""
    found, _ = _difference(connection, observed)
    return repair.summary(found, observed)


def mark(transaction: Transaction, observed: Observed) -> Repair:
    """Mark every difference in the outbox, and note what the broker turned out to hold."""
    connection = cast("PostgresConnection", transaction.connection)
    found, users = _difference(connection, observed)
    messages: list[tuple[int, int, str]] = []
    held: list[tuple[int, int]] = []
    others: list[tuple[str, str, int, int]] = []
    elsewhere = _elsewhere(connection, observed)
    for path in sorted(found.missing | found.different | found.stale):
        name, _, rest = path.partition("/")
        user_id, number = users.get(name), repair.number_in(rest)
        if user_id is None or (rest.partition("/")[0] == Kind.MESSAGE and number is None):
            others.append(marks.stray_row(path, cell=observed.cell, user_id=elsewhere.get(name, 0)))
        elif number is None:
            others.append((path, Kind(rest).value, user_id, 0))
        else:
            messages.append((user_id, number, path))
            if path in observed.retained:
                held.append((user_id, number))
    texts = sorted({user_id for _, kind, user_id, _ in others if kind != Kind.STRAY})
    with connection.pipeline():
        if held:
            connection.execute(_HELD, columns(held, 2))
        if messages:
            connection.execute(MARK_MESSAGES, columns(messages, 3))
        if texts:
            connection.execute(_TEXTS, (texts,))
        if others:
            connection.execute(MARK, columns(others, 4))
    transaction.messages_marked |= bool(messages) or any(kind == Kind.STRAY for _, kind, _, _ in others)
    transaction.views_marked |= bool(texts)
    transaction.marked.update(*({row[0] for row in messages}, {row[2] for row in others}))
    return repair.summary(found, observed)


def _elsewhere(connection: PostgresConnection, observed: Observed) -> dict[str, int]:
    """Where there are cells, the users of these names at whichever: who publishes for them clears what is theirs."""
    if observed.cell is None:
        return {}
    return dict(connection.execute(_ANYWHERE, (sorted(observed.users),)).fetchall())


def _difference(connection: PostgresConnection, observed: Observed) -> tuple[Difference, dict[str, int]]:
    """How it differs, without what is under way already; and the users by name."""
    names = sorted(observed.users)
    found_users = connection.execute(
        *((_USERS, (names,)) if observed.cell is None else (_USERS_AT, (names, observed.cell)))
    )
    users = found_users.fetchall()
    by_name = {row[1]: row[0] for row in users}
    found = repair.beside(observed, _desired(connection, users, observed))
    under_way = _under_way(connection, found.missing, by_name)
    return Difference(found.missing - under_way, found.different, found.stale), by_name


def _desired(
    connection: PostgresConnection, users: Sequence[tuple[int, str, str, int | None]], observed: Observed
) -> Iterator[tuple[str, int]]:
    """Path and fingerprint of everything that the broker should hold of these users."""
    ids_of = [row[0] for row in users]
    names = {user_id: (name, limit) for user_id, name, _, limit in users}
    for user_id, number, header in connection.execute(_LIVE, (ids_of,)).fetchall():
        name, limit = names[user_id]
        yield topics.message(name, ids.encode(number)), fingerprint(fitted(header, limit))
    shown = grouped_outbox.shown(connection, ids_of, now_ms=observed.now_ms, days=observed.days)
    for user_id, name, switched_on, _ in users:
        for kind in map(Kind, topics.STATE_VIEWS):
            if not view_is_on(kind, views.parse(switched_on)):
                continue
            payload = grouped_outbox.view(kind, shown[user_id])
            if payload:  # an empty one clears the topic: nothing is held
                yield topics.view(name, kind), fingerprint(payload)


def _under_way(connection: PostgresConnection, missing: Iterable[str], users: dict[str, int]) -> frozenset[str]:
    """What of it waits already, or is in flight; but for a text, whose row may be about to go without a publish."""
    paths = sorted(missing)
    if not paths:
        return frozenset()
    messages = []
    for path in paths:
        name, _, rest = path.partition("/")
        number = repair.number_in(rest)
        if number is not None and name in users:
            messages.append((users[name], number, path))
    with connection.pipeline():
        marked = connection.execute(_MARKED, (paths,))
        waiting = connection.execute(_WAITING, columns(messages, 3))
    kinds = dict(marked.fetchall())
    new = {path for (path,) in waiting.fetchall() if path not in kinds}
    return frozenset(new | {path for path, kind in kinds.items() if kind != Kind.TEXT})
