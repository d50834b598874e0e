"""What is written to `sessions.db` in one commit: gathered in the loop, written by the thread that writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from broker.wire.message import Message

_INSERT = ("INSERT OR REPLACE INTO queued VALUES {}", "(?, ?, ?, ?, ?, ?, ?, ?)")
_DELETE = ("DELETE FROM queued WHERE (username, seq) IN (VALUES {})", "(?, ?)")
_RETAIN = ("INSERT OR REPLACE INTO retained VALUES {}", "(?, ?, ?, ?, ?)")
_CLEAR = ("DELETE FROM retained WHERE topic IN (VALUES {})", "(?)")

_AT_ONCE = (64, 8, 1)  # rows of one statement: of other numbers none is made, so that few have to be compiled


@dataclass(slots=True)
class Batch:
    """Its number is the ticket of all that is in it. Of a queued message or a retained topic only the last word counts.

    `entries` and `retained` have None for what is to be deleted. Rows are made of the rest by who writes: of most
    entries none is, since they are acknowledged before.
    """

    number: int
    changes: list[tuple[str, tuple[object, ...]]] = field(default_factory=list)
    entries: dict[tuple[str, int], tuple[Message, bool, tuple[int, ...]] | None] = field(default_factory=dict)
    retained: dict[str, Message | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.changes or self.entries or self.retained)

    def write(self, database: sqlite3.Connection) -> None:
        """All of it, or nothing; raises sqlite3.Error."""
        new = [_queued(key, *value) for key, value in self.entries.items() if value is not None]
        old = [key for key, value in self.entries.items() if value is None]
        kept = [
            (topic, value.payload, value.qos, value.properties, value.expires_at)
            for topic, value in self.retained.items()
            if value is not None
        ]
        cleared = [(topic,) for topic, value in self.retained.items() if value is None]
        with database:
            database.execute("BEGIN IMMEDIATE")
            for sql, values in self.changes:
                database.execute(sql, values)
            for (statement, row), rows in ((_DELETE, old), (_INSERT, new), (_RETAIN, kept), (_CLEAR, cleared)):
                for some in _divided(rows):
                    database.execute(_statement(statement, row, len(some)), tuple(chain.from_iterable(some)))


def _queued(key: tuple[str, int], message: Message, retain: bool, ids: tuple[int, ...]) -> tuple[object, ...]:  # noqa: FBT001
    told = " ".join(map(str, ids)) if ids else ""
    return (*key, message.topic, message.payload, message.properties, message.expires_at, retain, told)


def _divided(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    """In few pieces: after each statement the loop has the interpreter, and the thread has to get it back."""
    at = 0
    for count in _AT_ONCE:
        while len(rows) - at >= count:
            yield rows[at : at + count]
            at += count


@cache
def _statement(statement: str, row: str, count: int) -> str:
    return statement.format(", ".join([row] * count))
