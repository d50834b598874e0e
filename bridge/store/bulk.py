"""Statements over many rows at once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

AT_ONCE = 64
"""Rows of one look-up at most; below that a power of two, so that there are few texts to compile."""


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], *, behind: str = "") -> None:
    """Insert rows; `into` is the statement before VALUES, and `behind` what follows them."""
    if rows:
        connection.executemany(_text(into, len(rows[0]), behind), rows)


def pieces(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows in pieces for one statement each."""
    at = 0
    while at < len(rows):
        size = min(AT_ONCE, 1 << (len(rows) - at).bit_length() - 1)
        yield rows[at : at + size]
        at += size


@lru_cache(maxsize=64)
def _text(into: str, columns: int, behind: str) -> str:
    return f"{into} VALUES ({', '.join('?' * columns)}) {behind}"
