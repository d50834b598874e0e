"""Mails in a folder and messages that meet: which is which, and what both are from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.contract import ids
from bridge.mailbox.agreeing import By, met
from bridge.mailbox.matching import NEAR_MS, Candidate, Sighting, match
from bridge.store import counterparts, messages
from bridge.store.folders import user_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


_CANDIDATES = """
SELECT m.number, m.message_id, m.size, m.seen, m.seen_by FROM message m {by}
WHERE m.user_id = :user_id AND {which}
    AND NOT (m.seen = 1 AND m.seen_ms IS NULL)
    AND NOT EXISTS (SELECT 1 FROM counterpart c WHERE c.folder_id = :folder_id AND c.number = m.number)
ORDER BY m.number DESC LIMIT 50
"""
"""What is seen and was never seen by anybody a rule keeps from the devices: it is left alone."""
NAMED = _CANDIDATES.format(  # SQLite would rather walk through all messages of the user, as they are in order
    by="INDEXED BY message_copy",
    which="m.message_id <> '' AND m.message_id = :message_id"
    " AND substr(m.message_id, 1, 200) = substr(:message_id, 1, 200)",
)
NAMELESS = _CANDIDATES.format(by="", which="m.message_id = '' AND m.number BETWEEN :since AND :until")
UNMATCHED = """
SELECT c.uid, c.agreed, c.message_id, c.size, c.arrived_ms
FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
WHERE c.folder_id = ? AND c.number IS NULL AND (c.message_id = '' OR EXISTS (
    SELECT 1 FROM message m WHERE m.user_id = b.user_id AND m.message_id <> '' AND m.message_id = c.message_id
        AND substr(m.message_id, 1, 200) = substr(c.message_id, 1, 200)))
ORDER BY c.uid
"""


def discover(
    transaction: Transaction,
    folder_id: int,
    mails: Sequence[Sighting],
    *,
    next_uid: int,
    source_ms: int | None = None,
) -> None:
    """The folder has these mails that were not known, and was looked at up to `next_uid`.

    Those without a message that the server got since `source_ms`, and that are unseen, are to be fetched.
    """
    connection, user_id = transaction.connection, user_of(transaction.connection, folder_id)
    if user_id is None:
        return
    for mail in mails:
        # The server's date is of a whole second (RFC 3501 §2.3.3), in which it may be earlier and later.
        wanted = source_ms is not None and mail.arrived_ms // 1000 >= source_ms // 1000 and not mail.seen
        connection.execute(
            "INSERT INTO counterpart (folder_id, uid, message_id, size, arrived_ms, agreed, wanted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (folder_id, mail.uid, mail.message_id, mail.size, mail.arrived_ms, int(mail.seen), int(wanted)),
        )
        meet(transaction, folder_id, user_id, mail)
    connection.execute("UPDATE folder SET next_uid = ?1 WHERE folder_id = ?2 AND next_uid < ?1", (next_uid, folder_id))


def unmet(connection: StoreConnection, folder_id: int) -> bool:
    """Whether a mail of the folder without a message has one now."""
    user_id = user_of(connection, folder_id)
    return user_id is not None and any(
        find(connection, folder_id, user_id, mail) is not None for mail in _unmatched(connection, folder_id)
    )


def meet_all(transaction: Transaction, folder_id: int) -> None:
    """Find the messages that came behind their mails."""
    user_id = user_of(transaction.connection, folder_id)
    if user_id is not None:
        for mail in _unmatched(transaction.connection, folder_id):
            meet(transaction, folder_id, user_id, mail)


def _unmatched(connection: StoreConnection, folder_id: int) -> list[Sighting]:
    return [
        Sighting(uid=uid, seen=bool(seen), message_id=message_id, size=size, arrived_ms=arrived_ms)
        for uid, seen, message_id, size, arrived_ms in connection.execute(UNMATCHED, (folder_id,)).fetchall()
    ]


def meet(transaction: Transaction, folder_id: int, user_id: int, mail: Sighting) -> None:
    """Find the message that a mail is, and settle what both are from now on."""
    found = find(transaction.connection, folder_id, user_id, mail)
    if found is None:
        return
    outcome = met(here=found.seen, there=mail.seen, by=found.by)
    link(transaction, folder_id, mail.uid, found.number)
    counterparts.remember(transaction, folder_id, mail.uid, outcome.agreed)
    if outcome.here is not None:
        messages.set_seen(transaction, user_id, [found.number], seen=outcome.here, by=By.MAILBOX)


def link(transaction: Transaction, folder_id: int, uid: int, number: int) -> None:
    """Note that a mail is this message; it is not to be fetched."""
    transaction.connection.execute(
        "UPDATE counterpart SET number = ?1, wanted = 0,"
        " arrived_ms = CASE WHEN arrived_ms < ?2 THEN ?2 ELSE arrived_ms END"
        " WHERE folder_id = ?3 AND uid = ?4",
        (number, ids.received_ms(number), folder_id, uid),
    )


def find(connection: StoreConnection, folder_id: int, user_id: int, mail: Sighting) -> Candidate | None:
    """The message that a mail is, or None."""
    values: dict[str, object] = {"folder_id": folder_id, "user_id": user_id}
    if mail.message_id:
        rows = connection.execute(NAMED, values | {"message_id": mail.message_id})
    else:
        since, until = ids.at(mail.arrived_ms - NEAR_MS), ids.at(mail.arrived_ms + NEAR_MS)
        rows = connection.execute(NAMELESS, values | {"since": since, "until": until})
    candidates = [
        Candidate(number=number, message_id=message_id, size=size, seen=bool(seen), by=by)
        for number, message_id, size, seen, by in rows
    ]
    return match(mail, candidates)
