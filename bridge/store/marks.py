"""Marking topics in the outbox: their state on the broker may differ from the desired one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.contract import ids, topics
from bridge.contract.publication import Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_UPSERT = """
INSERT INTO outbox (path, kind, user_id, number) VALUES (?, ?, ?, ?)
ON CONFLICT (path) DO UPDATE SET
    generation = generation + 1, kind = excluded.kind, user_id = excluded.user_id, number = excluded.number
"""


def messages(connection: sqlite3.Connection, user_id: int, name: str, numbers: Iterable[int]) -> None:
    """Note that the topics of these messages may be wrong on the broker."""
    rows = [(topics.message(name, ids.encode(number)), Kind.MESSAGE.value, user_id, number) for number in numbers]
    connection.executemany(_UPSERT, rows)


def views(connection: sqlite3.Connection, user_id: int, name: str) -> None:
    """Note that all views of a user may be wrong on the broker."""
    for name_of_view in topics.STATE_VIEWS:
        view(connection, user_id, name, name_of_view)


def view(connection: sqlite3.Connection, user_id: int, name: str, name_of_view: str) -> None:
    """Note that one view of a user may be wrong on the broker."""
    connection.execute(_UPSERT, (topics.view(name, name_of_view), Kind(name_of_view).value, user_id, 0))


def event(connection: sqlite3.Connection, user_id: int, name: str, number: int) -> None:
    """Note that an event about a new message has to go out."""
    path = f"{topics.view(name, Kind.EVENT)}/{ids.encode(number)}"
    connection.execute(_UPSERT, (path, Kind.EVENT.value, user_id, number))


def stray(connection: sqlite3.Connection, path: str) -> None:
    """Note that the broker holds a topic that belongs to nobody: it must go."""
    connection.execute(_UPSERT, (path, Kind.STRAY.value, 0, 0))
