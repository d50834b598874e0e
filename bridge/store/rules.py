"""Rules in the store: one JSON document per user, read in the transaction that keeps a message.

So there is no copy that could be old: what was set is in force from the next message on, in
whichever process it was set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.rules import alert as verdict
from bridge.rules.alert import Alert
from bridge.rules.change import changed
from bridge.rules.reason import reason
from bridge.rules.rules import SAFEST, Rules, RulesError, parse
from bridge.rules.telling import told
from bridge.store import storms
from bridge.store.people import PeopleError

if TYPE_CHECKING:
    import sqlite3

    from bridge.model import Header
    from bridge.rules.change import Change
    from bridge.rules.rate import Rate
    from bridge.rules.spam import SpamAction
    from bridge.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules make of one message: the header as devices get it, whether it rings, and by which rule."""

    header: Header
    alert: Alert
    rate: Rate | None
    reason: str


def read(connection: sqlite3.Connection, name: str) -> Rules:
    """A user's rules; raises PeopleError, or RulesError when they cannot be read."""
    _, document = _row(connection, name)
    return Rules() if document is None else parse(document)


def change(transaction: Transaction, name: str, wanted: Change, *, clear: bool = False) -> Rules:
    """Change a user's rules, after taking them all away if told so; raises PeopleError or RulesError."""
    user_id, document = _row(transaction.connection, name)
    before = Rules() if clear or document is None else parse(document)
    after = changed(before, wanted)
    transaction.connection.execute("DELETE FROM rules WHERE user_id = ?", (user_id,))
    if after != Rules():
        transaction.connection.execute("INSERT INTO rules VALUES (?, ?)", (user_id, after.model_dump_json()))
    return after


def judge(transaction: Transaction, user_id: int, header: Header, *, list_id: str, spam: SpamAction) -> Judged:
    """What a user's rules make of a message that comes now."""
    own, readable = Rules(), True
    row = transaction.connection.execute("SELECT document FROM rules WHERE user_id = ?", (user_id,)).fetchone()
    if row is not None:
        try:
            own = parse(row[0])
        except RulesError:
            own, readable = SAFEST, False
    rang = 0 if own.rate is None else storms.rings(transaction, user_id, window_ms=own.rate.window_ms)
    alert = verdict.judge(
        own,
        header,
        list_id=list_id,
        now_ms=transaction.now_ms,
        rings=rang,
        spam=spam,
        readable=readable,
    )
    because = reason(alert, own, header, list_id=list_id, now_ms=transaction.now_ms)
    return Judged(told(own, header, alert), alert, own.rate, because)


def note(transaction: Transaction, user_id: int, number: int, judged: Judged) -> None:
    """Note what a message that was kept means for the rate of its user."""
    if judged.rate is None:
        return
    if judged.alert is Alert.RING:
        storms.rang(transaction, user_id, number)
    elif judged.alert is Alert.STORM:
        storms.gather(transaction, user_id, number, judged.header, window_ms=judged.rate.window_ms)


def _row(connection: sqlite3.Connection, name: str) -> tuple[int, str | None]:
    row: tuple[int, str | None] | None = connection.execute(
        "SELECT user_id, document FROM user LEFT JOIN rules USING (user_id) WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise PeopleError(f"there is no user {name!r}")
    return row
