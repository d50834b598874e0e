"""Reconciling: the broker's retained set is compared with the truth, and differences are marked.

Marking is always safe: the outbox publishes what is desired when a row's turn comes, so a
difference that has healed meanwhile costs one publish and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import ids, topics
from bridge.reconcile import Difference, Observed, Repair, difference, fingerprint
from bridge.store import marks
from bridge.store.outbox import view_payload

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from bridge.store.writer import Transaction


def compare(connection: sqlite3.Connection, observed: Observed) -> Repair:
    """What would be repaired, without touching anything."""
    return _summary(_difference(connection, observed), observed)


def mark(transaction: Transaction, observed: Observed) -> Repair:
    """Mark every difference in the outbox, and note what the broker turned out to hold.

    What it turned out not to hold any more stays noted as held: devices may have it nevertheless.
    """
    connection = transaction.connection
    found = _difference(connection, observed)
    users = dict(connection.execute("SELECT name, user_id FROM user"))
    for path in sorted(found.missing | found.different | found.stale):
        name, _, rest = path.partition("/")
        user_id, kind = users.get(name), rest.partition("/")[0]
        number = _number(rest)
        if user_id is None or (kind == "msg" and number is None):
            marks.stray(connection, path)
        elif number is not None:
            if path in observed.retained:
                connection.execute("UPDATE message SET held = 1 WHERE user_id = ? AND number = ?", (user_id, number))
            marks.messages(connection, user_id, name, [number])
        else:
            connection.execute("UPDATE user SET text_held = NULL WHERE user_id = ?", (user_id,))
            marks.view(connection, user_id, name, rest)
    return _summary(found, observed)


def _difference(connection: sqlite3.Connection, observed: Observed) -> Difference:
    desired = {path: state for path, state in _desired(connection, observed) if path not in observed.settled}
    held = {path: state for path, state in observed.retained.items() if path not in observed.settled}
    return difference(desired, held)


def _desired(connection: sqlite3.Connection, observed: Observed) -> Iterator[tuple[str, int]]:
    """Path and fingerprint of everything that the broker should hold."""
    for name, number, header in connection.execute(
        "SELECT u.name, m.number, m.header FROM message m JOIN user u USING (user_id) WHERE m.live = 1"
    ):
        yield topics.message(name, ids.encode(number)), fingerprint(header)
    for user_id, name, views in connection.execute("SELECT user_id, name, views FROM user"):
        on = set(views.split(",")) | {"box"}
        for view in topics.STATE_VIEWS:
            payload = b""
            if view in on:
                payload = view_payload(connection, user_id, view, now_ms=observed.now_ms, days=observed.days)
            if payload:  # an empty one clears the topic: nothing is held
                yield topics.view(name, view), fingerprint(payload)


def _number(rest: str) -> int | None:
    kind, _, text = rest.partition("/")
    if kind != "msg":
        return None
    try:
        return ids.decode(text)
    except ValueError:
        return None


def _summary(found: Difference, observed: Observed) -> Repair:
    return Repair(len(found.missing), len(found.different), len(found.stale), len(observed.retained))
