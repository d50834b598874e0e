"""Whether the store takes a write: one is made that changes nothing, and is synced like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.writer import Transaction


def write_nothing(transaction: Transaction) -> None:
    """Write a row as it is: SQLite writes the page and syncs it, and nobody who reads it sees a difference."""
    transaction.connection.execute("UPDATE revision SET value = value WHERE name = 'people'")
