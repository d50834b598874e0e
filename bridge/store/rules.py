"""Rules in the store: one JSON document per user, read in the transaction that keeps a message.

So there is no copy that could be old: what was set is in force from the next message on, in
whichever process it was set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.rules.change import changed
from bridge.rules.rules import Rules, document, parse
from bridge.store.people import PeopleError

if TYPE_CHECKING:
    from bridge.rules.change import Change
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


def read(connection: StoreConnection, name: str) -> Rules:
    """A user's rules; raises PeopleError, or RulesError when they cannot be read."""
    _, kept = _row(connection, name)
    return Rules() if kept is None else parse(kept)


def change(transaction: Transaction, name: str, wanted: Change, *, clear: bool = False) -> Rules:
    """Change a user's rules, after taking them all away if told so; raises PeopleError or RulesError."""
    user_id, kept = _row(transaction.connection, name)
    before = Rules() if clear or kept is None else parse(kept)
    after = changed(before, wanted)
    transaction.connection.execute("DELETE FROM rules WHERE user_id = ?", (user_id,))
    if after != Rules():
        transaction.connection.execute("INSERT INTO rules VALUES (?, ?)", (user_id, document(after)))
    return after


def _row(connection: StoreConnection, name: str) -> tuple[int, str | None]:
    row: tuple[int, str | None] | None = connection.execute(
        "SELECT user_id, document FROM user LEFT JOIN rules USING (user_id) WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise PeopleError(f"there is no user {name!r}")
    return row
