"""Statements over many rows at once: a statement for each row would cost two turns at the interpreter's lock each."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.store.engine import StoreConnection


AT_ONCE = 64
"""Rows of one statement at most; below that a power of two, so that there are few texts to compile."""


def insert(connection: StoreConnection, into: str, rows: Sequence[tuple[Any, ...]], *, behind: str = "") -> None:
    """Insert rows; `into` is the statement before VALUES, and `behind` what follows them."""
    for some in pieces(rows):
        connection.execute(_text(into, len(some), len(some[0]), behind), list(chain.from_iterable(some)))


def pieces(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows in pieces for one statement each."""
    at = 0
    while at < len(rows):
        size = min(AT_ONCE, 1 << (len(rows) - at).bit_length() - 1)
        yield rows[at : at + size]
        at += size


@lru_cache(maxsize=256)
def _text(into: str, rows: int, columns: int, behind: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([row] * rows)} {behind}"
