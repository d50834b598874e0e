"""Marking topics in the outbox: their state on the broker may differ from the desired one."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from bridge.contract import ids, topics
from bridge.contract.publication import Kind
from bridge.store import bulk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bridge.store.writer import Transaction

_INSERT = "INSERT INTO outbox (path, kind, user_id, number)"
_AGAIN = """
ON CONFLICT (path) DO UPDATE SET
    generation = outbox.generation + 1, kind = excluded.kind, user_id = excluded.user_id, number = excluded.number
"""

FEW_USERS = 8
"""Of so many users it is looked first whether their views wait already: a sixth of the work where they do."""
WAITING_VIEWS = "UPDATE outbox SET generation = generation + 1 WHERE user_id = ? AND path IN ({paths})"
MARK_NEW = """
UPDATE message SET waits = waits + 4
WHERE user_id = ? AND number IN (SELECT value FROM json_each(?)) AND waits & 1 <> 0 RETURNING number
"""


def messages(transaction: Transaction, user_id: int, name: str, numbers: Sequence[int]) -> None:
    """Note that the topics of these messages may be wrong on the broker.

    A new one that still waits in its own row keeps its place there.
    """
    if not numbers:
        return
    waiting = transaction.connection.execute(MARK_NEW, (user_id, json.dumps(list(numbers)))).fetchall()
    new = {number for (number,) in waiting}
    transaction.marked.add(user_id)
    _messages(transaction, user_id, name, [number for number in numbers if number not in new])


def gone(transaction: Transaction, user_id: int, name: str, numbers: Sequence[int]) -> None:
    """The same for messages whose rows are about to go."""
    _messages(transaction, user_id, name, numbers)


def _messages(transaction: Transaction, user_id: int, name: str, numbers: Sequence[int]) -> None:
    _mark(
        transaction,
        [(topics.message(name, ids.encode(number)), Kind.MESSAGE.value, user_id, number) for number in numbers],
    )
    transaction.messages_marked = True


def views(transaction: Transaction, user_id: int, name: str, some: Iterable[str] = topics.STATE_VIEWS) -> None:
    """Note that views of a user, all or some, may be wrong on the broker."""
    _mark(transaction, [(topics.view(name, view), Kind(view).value, user_id, 0) for view in some])
    transaction.views_marked = True


def views_of_all(transaction: Transaction, boxes: Iterable[tuple[int, str, Collection[str]]]) -> None:
    """Note that the digest and the views that are on may be wrong for many users: id, name and these views of each."""
    by_user = [
        [
            (topics.view(name, view), view.value, user_id, 0)
            for view in topics.STATE_VIEWS
            if view is Kind.BOX or view in switched_on
        ]
        for user_id, name, switched_on in boxes
    ]
    if not by_user:
        return
    if len(by_user) <= FEW_USERS:
        by_user = [rows for rows in by_user if not _again(transaction, rows)]
    if by_user:
        _mark(transaction, list(chain.from_iterable(by_user)))
    transaction.views_marked = True


def _again(transaction: Transaction, rows: Sequence[tuple[str, str, int, int]]) -> bool:
    """Mark views of one user that all wait already, as they do while mail keeps coming; whether they did."""
    paths = [path for path, *_ in rows]
    statement = WAITING_VIEWS.format(paths=", ".join("?" * len(paths)))
    transaction.marked.add(rows[0][2])
    return transaction.connection.execute(statement, (rows[0][2], *paths)).rowcount == len(paths)


def event(transaction: Transaction, user_id: int, name: str, number: int) -> None:
    """Note that an event about a storm has to go out; that of a new message waits in its row."""
    path = f"{topics.view(name, Kind.EVENT)}/{ids.encode(number)}"
    _mark(transaction, [(path, Kind.EVENT.value, user_id, number)])
    transaction.messages_marked = True


def stray(transaction: Transaction, path: str, *, cell: int | None = None, user_id: int = 0) -> None:
    """Note that the broker, or that of a cell, holds a topic that belongs to nobody there: it must go.

    Whose it is may have the same topic at another cell, so its row has another path (`desired.stray`). There is a
    `user_id` where that is theirs, and several bridges share the store: who publishes for them clears it, in order.
    """
    _mark(transaction, [stray_row(path, cell=cell, user_id=user_id)])
    transaction.messages_marked = True


def stray_row(path: str, *, cell: int | None, user_id: int = 0) -> tuple[str, str, int, int]:
    """The row of such a topic."""
    if cell is None:
        return path, Kind.STRAY.value, 0, 0
    return f"#{cell}/{path}", Kind.STRAY.value, user_id, cell


def _mark(transaction: Transaction, rows: Sequence[tuple[str, str, int, int]]) -> None:
    bulk.insert(transaction.connection, _INSERT, rows, behind=_AGAIN)
    transaction.marked.update(row[2] for row in rows)
