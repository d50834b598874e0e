"""The live set of a user: the newest `count` unseen messages that are no older than `days`.

It follows from the messages, the moment and these two settings alone; the column `live` is its
value as of the last transaction that touched the user. What enters or leaves it is marked in the
outbox in the same transaction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.box.live_set import Moves, horizon, renewed
from bridge.store import marks, views
from bridge.store.portions import LAST_USER, last_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bridge.box.live_set import Retention
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


WANTED = "SELECT number FROM message WHERE user_id = ? AND seen = 0 AND number >= ? ORDER BY number DESC LIMIT ?"
MOVES = "UPDATE message SET live = ? WHERE user_id = ? AND number IN (SELECT value FROM json_each(?))"
LIVE = "SELECT json_group_array(number) FROM message WHERE user_id = ? AND live = 1"
NEWEST = (
    "SELECT number, header FROM message WHERE user_id = ? AND live = 1 AND silent <= ? ORDER BY number DESC LIMIT 1"
)
UNREAD = "SELECT count(*) FROM message WHERE user_id = ? AND seen = 0 AND number >= ?"
CROSSED = """
SELECT user_id FROM user WHERE user_id > ? AND user_id <= ? AND EXISTS
    (SELECT 1 FROM message WHERE message.user_id = user.user_id AND seen = 0 AND number >= ? AND number < ?)
"""
TERMS = "SELECT count, days, horizon FROM live_terms"
UNDER_REVIEW = -1
"""In place of a horizon: live sets are being worked out with the settings that are noted, and not all are yet."""
_NOTE_TERMS = (
    "INSERT INTO live_terms VALUES (1, ?, ?, ?) ON CONFLICT (terms_id) DO UPDATE SET"
    " count = excluded.count, days = excluded.days, horizon = excluded.horizon"
)


def bring_up_to_date(transaction: Transaction, retention: Retention) -> None:
    """Before each COMMIT: the live sets of all users whom the transaction touched, and the marks of what moved.

    Not of those who only got mail: their live sets went with it (`boxes.write`).
    """
    moved = {
        user_id for user_id in transaction.changed | transaction.doubtful if refresh(transaction, user_id, retention)
    }
    _mark_views(transaction, moved | transaction.changed)


def renew(transaction: Transaction, users: Iterable[int]) -> None:
    """Have the live sets of these users worked out anew, and their views marked."""
    transaction.changed.update(users)


def expire(transaction: Transaction, users: Iterable[int], *, until: int) -> None:
    """The same for those of whom the horizon passed a message, up to this number: the next start begins there."""
    renew(transaction, users)
    transaction.connection.execute("UPDATE live_terms SET horizon = ? WHERE horizon <> ?", (until, UNDER_REVIEW))


def take_up(transaction: Transaction, retention: Retention) -> None:
    """After a start: have the live sets worked out anew that time changed meanwhile, or all if the settings did.

    Where no message passed the horizon nothing was noted, so what passed since the last note is all there is.
    """
    since = noted_horizon(transaction.connection, retention)
    if since is None:
        review_all(transaction, retention)
        return
    until = horizon(transaction.now_ms, retention.days)
    transaction.doubtful.update(crossed(transaction.connection, since=since, until=until))
    note(transaction, retention, until=until)


def noted_horizon(connection: StoreConnection, retention: Retention) -> int | None:
    """Up to where time was followed with these settings; None where the live sets were made with others."""
    noted = connection.execute(TERMS).fetchone()
    if noted is None or tuple(noted[:2]) != (retention.count, retention.days) or noted[2] == UNDER_REVIEW:
        return None
    return int(noted[2])


def doubt(transaction: Transaction, users: Iterable[int]) -> None:
    """Have the live sets of these users worked out anew, and their views marked where that changed anything."""
    transaction.doubtful.update(users)


def review_all(transaction: Transaction, retention: Retention) -> None:
    """Have every live set worked out anew with these settings: they, or the clock, have changed.

    Marks only what differs: views of a live set that stayed the same are compared when the bridge
    looks at what the broker holds.
    """
    transaction.doubtful.update(row[0] for row in transaction.connection.execute("SELECT user_id FROM user"))
    note(transaction, retention, until=horizon(transaction.now_ms, retention.days))


def note(transaction: Transaction, retention: Retention, *, until: int) -> None:
    """Note that all live sets are made with these settings, and up to where time was followed."""
    transaction.connection.execute(_NOTE_TERMS, (retention.count, retention.days, until))


def doubt_all(transaction: Transaction) -> None:
    """Note that live sets may not be as they should be: whoever follows time has all of them worked out anew."""
    transaction.connection.execute("DELETE FROM live_terms")


def begin_review(transaction: Transaction, retention: Retention) -> None:
    """Note that all live sets are being worked out with these settings."""
    note(transaction, retention, until=UNDER_REVIEW)


def end_review(transaction: Transaction, retention: Retention, *, until: int) -> None:
    """Note that all of them were, unless somebody doubted them again meanwhile."""
    transaction.connection.execute(
        "UPDATE live_terms SET horizon = ? WHERE count = ? AND days = ? AND horizon = ?",
        (until, retention.count, retention.days, UNDER_REVIEW),
    )


def doubt_terms(transaction: Transaction, retention: Retention) -> None:
    """Live sets were worked out with these settings: where they are not those of all, the next start reviews all."""
    if transaction.changed or transaction.doubtful:
        transaction.connection.execute(
            "DELETE FROM live_terms WHERE count <> ? OR days <> ?", (retention.count, retention.days)
        )


def refresh(transaction: Transaction, user_id: int, retention: Retention) -> int:
    """Work the live set out anew and mark what differs; how many messages that were."""
    connection = transaction.connection
    wanted = [
        row[0]
        for row in connection.execute(WANTED, (user_id, horizon(transaction.now_ms, retention.days), retention.count))
    ]
    moves = renewed(live_numbers(connection, user_id), wanted)
    row = connection.execute("SELECT name FROM user WHERE user_id = ?", (user_id,)).fetchone()
    if row is None:
        return 0
    if moves != Moves():
        move(transaction, user_id, moves)
        marks.messages(transaction, user_id, row[0], sorted(moves.leaves + moves.enters))
    connection.execute("UPDATE user SET live = ?1 WHERE user_id = ?2 AND live <> ?1", (len(wanted), user_id))
    return len(moves.leaves) + len(moves.enters)


def move(transaction: Transaction, user_id: int, moves: Moves) -> None:
    """Have messages leave the live set and enter it; neither counts nor marks anything."""
    for live, numbers in ((0, moves.leaves), (1, moves.enters)):
        if numbers:
            transaction.connection.execute(MOVES, (live, user_id, json.dumps(numbers)))


def _mark_views(transaction: Transaction, users: Collection[int]) -> None:
    """Mark the digest and the views that are on: one that is off was cleared, and is not cleared again at each mail."""
    if not users:
        return
    rows = transaction.connection.execute(
        "SELECT user_id, name, views FROM user WHERE user_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(users)),),
    )
    marks.views_of_all(transaction, [(user_id, name, views.parse(on)) for user_id, name, on in rows])


# --- reading --------------------------------------------------------------------------------------


def live_numbers(connection: StoreConnection, user_id: int) -> list[int]:
    """The live set, oldest first; in one row, as each row is a turn at the interpreter's lock against SMTP."""
    numbers: list[int] = json.loads(connection.execute(LIVE, (user_id,)).fetchone()[0])
    return sorted(numbers)


def newest_live(connection: StoreConnection, user_id: int, *, ringing: bool = False) -> tuple[int, bytes] | None:
    """Number and header payload of the newest live message, or of the newest that is not silent."""
    row: tuple[int, bytes] | None = connection.execute(NEWEST, (user_id, 0 if ringing else 1)).fetchone()
    return row


def unread(connection: StoreConnection, user_id: int, *, now_ms: int, days: float) -> int:
    """How many messages within the horizon nobody has seen, in the live set or not."""
    count: int = connection.execute(UNREAD, (user_id, horizon(now_ms, days))).fetchone()[0]
    return count


def crossed(
    connection: StoreConnection, *, since: int, until: int, behind: int = 0, last: int = LAST_USER
) -> list[int]:
    """Users who have an unseen message that the horizon passed, in either direction, on its way between two numbers.

    Of those whose ids lie behind one, up to the last.
    """
    between = min(since, until), max(since, until)
    return [row[0] for row in connection.execute(CROSSED, (behind, last, *between))]


def crossed_of_some(
    connection: StoreConnection, *, since: int, until: int, behind: int, users: int
) -> tuple[list[int], int | None]:
    """The same, of so many users behind one, and the last of these: None when there are no others behind."""
    last = last_of(connection, behind, users)
    up_to = LAST_USER if last is None else last
    return crossed(connection, since=since, until=until, behind=behind, last=up_to), last
