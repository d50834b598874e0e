"""Whether a mail in a folder and the message that it is are seen, as both had it last. `bridge/mailbox` decides.

Every operation is for one folder as it was opened, with the UIDVALIDITY that it had then; of another one nothing is
touched. What is found to be as it was known costs a look and no write.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.mailbox.agreeing import Agreed, By, compared
from bridge.store import messages
from bridge.store.folders import user_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bridge.mailbox.agreeing import Compared
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


KNOWN = """
SELECT c.uid, c.number, c.agreed, c.doubt, m.seen
FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
LEFT JOIN message m ON m.user_id = b.user_id AND m.number = c.number
WHERE c.folder_id = ? AND c.uid IN (SELECT value FROM json_each(?)) ORDER BY c.uid
"""
PENDING = """
SELECT c.uid, m.seen
FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
CROSS JOIN message m ON m.user_id = b.user_id AND m.number = c.number
WHERE c.folder_id = ? AND (m.seen <> c.agreed OR c.doubt = 1) ORDER BY c.uid LIMIT ?
"""
ELSEWHERE = """
SELECT 1 FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
WHERE c.number = ? AND c.folder_id <> ? AND b.user_id = ? LIMIT 1
"""
AT_ONCE = 200
"""Mails of a folder that are told at once."""


# --- what the mailbox says --------------------------------------------------------------------------


def news(connection: StoreConnection, folder_id: int, seen: Mapping[int, bool], gone: Collection[int]) -> bool:
    """Whether anything follows from what the mailbox says of known mails."""
    if gone:
        return True
    rows = connection.execute(KNOWN, (folder_id, json.dumps(list(seen)))).fetchall()
    return any(_outcome(row, seen) is not None for row in rows)


def observe(transaction: Transaction, folder_id: int, seen: Mapping[int, bool], gone: Collection[int]) -> None:
    """The mailbox has these mails, seen or not, and those no more: messages follow where it changed its mind."""
    user_id = user_of(transaction.connection, folder_id)
    if user_id is None:
        return
    marks: dict[bool, list[int]] = {True: [], False: []}
    for row in transaction.connection.execute(KNOWN, (folder_id, json.dumps(list(seen)))).fetchall():
        uid, number = row[0], row[1]
        outcome = _outcome(row, seen)
        if outcome is not None:
            remember(transaction, folder_id, uid, outcome.agreed)
            if outcome.here is not None and number is not None:
                marks[outcome.here].append(number)
    for value, numbers in marks.items():
        if numbers:
            messages.set_seen(transaction, user_id, numbers, seen=value, by=By.MAILBOX)
    _forget(transaction, folder_id, user_id, gone)


def _outcome(row: tuple[int, int | None, int, int, int | None], seen: Mapping[int, bool]) -> Compared | None:
    """What follows for a known mail; None when nothing does."""
    uid, number, agreed, doubt, here = row
    known_ = Agreed(bool(agreed), bool(doubt))
    if number is None or here is None:  # it is no message of ours, but may become one
        outcome = compared(Agreed(known_.seen), here=known_.seen, there=seen[uid])
    else:
        outcome = compared(known_, here=bool(here), there=seen[uid])
    return None if (outcome.agreed, outcome.here) == (known_, None) else outcome


def remember(transaction: Transaction, folder_id: int, uid: int, agreed: Agreed) -> None:
    """Note what both sides of a mail have."""
    transaction.connection.execute(
        "UPDATE counterpart SET agreed = ?, doubt = ? WHERE folder_id = ? AND uid = ?",
        (int(agreed.seen), int(agreed.doubt), folder_id, uid),
    )


def _forget(transaction: Transaction, folder_id: int, user_id: int, gone: Collection[int]) -> None:
    """Mails that are gone: nobody has to read them any more, unless they are in another folder that is followed."""
    connection = transaction.connection
    numbers = []
    for uid, number, *_ in connection.execute(KNOWN, (folder_id, json.dumps(sorted(gone)))).fetchall():
        connection.execute("DELETE FROM counterpart WHERE folder_id = ? AND uid = ?", (folder_id, uid))
        if number is not None and connection.execute(ELSEWHERE, (number, folder_id, user_id)).fetchone() is None:
            numbers.append(number)
    if numbers:
        messages.set_seen(transaction, user_id, numbers, seen=True, by=By.GONE)


# --- what the mailbox is told -----------------------------------------------------------------------


def pending(connection: StoreConnection, folder_id: int) -> dict[int, bool]:
    """What the mailbox has to be told: UIDs, and whether each is seen; some of it, if it is much."""
    return {uid: bool(seen) for uid, seen in connection.execute(PENDING, (folder_id, AT_ONCE))}


def tell(transaction: Transaction, folder_id: int) -> dict[int, bool]:
    """The same; and note that the mailbox is told, so that its answer is not taken for somebody's doing."""
    found = pending(transaction.connection, folder_id)
    transaction.connection.execute(
        "UPDATE counterpart SET doubt = 1 WHERE folder_id = ? AND uid IN (SELECT value FROM json_each(?))",
        (folder_id, json.dumps(list(found))),
    )
    return found


def told(transaction: Transaction, folder_id: int, uids: Sequence[int], *, seen: bool) -> None:
    """The mailbox said that it knows of these mails that they are seen, or not."""
    transaction.connection.execute(
        "UPDATE counterpart SET agreed = ?, doubt = 0 WHERE folder_id = ? AND uid IN (SELECT value FROM json_each(?))",
        (int(seen), folder_id, json.dumps(list(uids))),
    )
