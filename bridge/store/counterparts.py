"""Which mail in a folder is which message, and what both sides agreed on. `bridge/mailbox` decides.

Every operation is for one folder as it was opened, with the UIDVALIDITY that it had then; of another one nothing is
touched. What is found to be as it was known costs a look and no write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import ids
from bridge.kept import Kept
from bridge.mailbox.agreeing import Agreed, By, compared, met
from bridge.mailbox.matching import NEAR_MS, Candidate, Sighting, match
from bridge.rules.alert import Alert
from bridge.store import messages

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from bridge.box.box import Mail, Terms
    from bridge.box.live_set import Retention
    from bridge.mailbox.agreeing import Compared
    from bridge.store.writer import Transaction

_KNOWN = """
SELECT c.uid, c.number, c.agreed, c.doubt, m.seen
FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
LEFT JOIN message m ON m.user_id = b.user_id AND m.number = c.number
WHERE c.folder_id = ? AND c.uid IN (SELECT value FROM json_each(?)) ORDER BY c.uid
"""
_PENDING = """
SELECT c.uid, m.seen
FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
CROSS JOIN message m ON m.user_id = b.user_id AND m.number = c.number
WHERE c.folder_id = ? AND (m.seen <> c.agreed OR c.doubt) ORDER BY c.uid LIMIT ?
"""
_CANDIDATES = """
SELECT m.number, m.message_id, m.size, m.seen, m.seen_ms, m.seen_by FROM message m
WHERE m.user_id = :user_id AND {which}
    AND NOT EXISTS (SELECT 1 FROM counterpart c WHERE c.folder_id = :folder_id AND c.number = m.number)
ORDER BY m.number DESC LIMIT 50
"""
NAMED = _CANDIDATES.format(which="m.message_id <> '' AND m.message_id = :message_id")
NAMELESS = _CANDIDATES.format(which="m.message_id = '' AND m.number BETWEEN :since AND :until")
_UNMATCHED = """
SELECT c.uid, c.agreed, c.message_id, c.size, c.arrived_ms
FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
WHERE c.folder_id = ? AND c.number IS NULL AND (c.message_id = '' OR EXISTS (
    SELECT 1 FROM message m WHERE m.user_id = b.user_id AND m.message_id <> '' AND m.message_id = c.message_id))
ORDER BY c.uid
"""
_ELSEWHERE = """
SELECT 1 FROM counterpart c JOIN folder f USING (folder_id) JOIN mailbox b USING (mailbox_id)
WHERE c.number = ? AND c.folder_id <> ? AND b.user_id = ? LIMIT 1
"""
AT_ONCE = 200
"""Mails of a folder that are told at once."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of a folder: UIDs of mails, ascending, and the first that was not looked at (0: none was).

    All is known up to the HIGHESTMODSEQ `modseq` (0: who knows).
    """

    uids: tuple[int, ...]
    next_uid: int
    modseq: int


def open_folder(transaction: Transaction, folder_id: int, *, validity: int, horizon_ms: int) -> Opened:
    """What is known of a folder with this UIDVALIDITY; what is known of it with another one is forgotten.

    So is what came before `horizon_ms`.
    """
    connection = transaction.connection
    row = connection.execute("SELECT validity FROM folder WHERE folder_id = ?", (folder_id,)).fetchone()
    if row is None:
        return Opened((), 0, 0)
    if row[0] != validity:
        connection.execute("DELETE FROM counterpart WHERE folder_id = ?", (folder_id,))
        connection.execute(
            "UPDATE folder SET validity = ?, next_uid = 0, modseq = 0 WHERE folder_id = ?", (validity, folder_id)
        )
    connection.execute(
        "DELETE FROM counterpart WHERE folder_id = ? AND arrived_ms < ? AND NOT wanted", (folder_id, horizon_ms)
    )
    next_uid, modseq = connection.execute(
        "SELECT next_uid, modseq FROM folder WHERE folder_id = ?", (folder_id,)
    ).fetchone()
    return Opened(known(connection, folder_id), next_uid, modseq)


def known(connection: sqlite3.Connection, folder_id: int) -> tuple[int, ...]:
    """The UIDs of all mails of a folder that are known, ascending."""
    rows = connection.execute("SELECT uid FROM counterpart WHERE folder_id = ? ORDER BY uid", (folder_id,))
    return tuple(uid for (uid,) in rows)


def reached(transaction: Transaction, folder_id: int, *, modseq: int) -> None:
    """All that the folder had up to this HIGHESTMODSEQ is known."""
    transaction.connection.execute("UPDATE folder SET modseq = ? WHERE folder_id = ?", (modseq, folder_id))


# --- what the mailbox says --------------------------------------------------------------------------


def news(connection: sqlite3.Connection, folder_id: int, seen: Mapping[int, bool], gone: Collection[int]) -> bool:
    """Whether anything follows from what the mailbox says of known mails."""
    if gone:
        return True
    rows = connection.execute(_KNOWN, (folder_id, json.dumps(list(seen)))).fetchall()
    return any(_outcome(row, seen) is not None for row in rows)


def observe(transaction: Transaction, folder_id: int, seen: Mapping[int, bool], gone: Collection[int]) -> None:
    """The mailbox has these mails, seen or not, and those no more: messages follow where it changed its mind."""
    user_id = _user_of(transaction.connection, folder_id)
    if user_id is None:
        return
    marks: dict[bool, list[int]] = {True: [], False: []}
    for row in transaction.connection.execute(_KNOWN, (folder_id, json.dumps(list(seen)))).fetchall():
        uid, number = row[0], row[1]
        outcome = _outcome(row, seen)
        if outcome is not None:
            _remember(transaction, folder_id, uid, outcome.agreed)
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


def _remember(transaction: Transaction, folder_id: int, uid: int, agreed: Agreed) -> None:
    transaction.connection.execute(
        "UPDATE counterpart SET agreed = ?, doubt = ? WHERE folder_id = ? AND uid = ?",
        (int(agreed.seen), int(agreed.doubt), folder_id, uid),
    )


def _forget(transaction: Transaction, folder_id: int, user_id: int, gone: Collection[int]) -> None:
    """Mails that are gone: nobody has to read them any more, unless they are in another folder that is followed."""
    connection = transaction.connection
    numbers = []
    for uid, number, *_ in connection.execute(_KNOWN, (folder_id, json.dumps(sorted(gone)))).fetchall():
        connection.execute("DELETE FROM counterpart WHERE folder_id = ? AND uid = ?", (folder_id, uid))
        if number is not None and connection.execute(_ELSEWHERE, (number, folder_id, user_id)).fetchone() is None:
            numbers.append(number)
    if numbers:
        messages.set_seen(transaction, user_id, numbers, seen=True, by=By.GONE)


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
    connection, user_id = transaction.connection, _user_of(transaction.connection, folder_id)
    if user_id is None:
        return
    for mail in mails:
        # The server's date is of a whole second (RFC 3501 §2.3.3), in which it may be earlier and later.
        wanted = source_ms is not None and mail.arrived_ms // 1000 >= source_ms // 1000 and not mail.seen
        connection.execute(
            "INSERT OR IGNORE INTO counterpart (folder_id, uid, message_id, size, arrived_ms, agreed, wanted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (folder_id, mail.uid, mail.message_id, mail.size, mail.arrived_ms, int(mail.seen), int(wanted)),
        )
        _meet(transaction, folder_id, user_id, mail)
    connection.execute("UPDATE folder SET next_uid = max(next_uid, ?) WHERE folder_id = ?", (next_uid, folder_id))


def unmet(connection: sqlite3.Connection, folder_id: int) -> bool:
    """Whether a mail of the folder without a message has one now."""
    user_id = _user_of(connection, folder_id)
    return user_id is not None and any(
        _find(connection, folder_id, user_id, mail) is not None for mail in _unmatched(connection, folder_id)
    )


def meet_all(transaction: Transaction, folder_id: int) -> None:
    """Find the messages that came behind their mails."""
    user_id = _user_of(transaction.connection, folder_id)
    if user_id is not None:
        for mail in _unmatched(transaction.connection, folder_id):
            _meet(transaction, folder_id, user_id, mail)


def _unmatched(connection: sqlite3.Connection, folder_id: int) -> list[Sighting]:
    return [
        Sighting(uid=uid, seen=bool(seen), message_id=message_id, size=size, arrived_ms=arrived_ms)
        for uid, seen, message_id, size, arrived_ms in connection.execute(_UNMATCHED, (folder_id,)).fetchall()
    ]


def _meet(transaction: Transaction, folder_id: int, user_id: int, mail: Sighting) -> None:
    """Find the message that a mail is, and settle what both are from now on."""
    found = _find(transaction.connection, folder_id, user_id, mail)
    if found is None:
        return
    outcome = met(here=found.seen, there=mail.seen, by=found.by)
    if outcome is None:
        return
    link(transaction, folder_id, mail.uid, found.number)
    _remember(transaction, folder_id, mail.uid, outcome.agreed)
    if outcome.here is not None:
        messages.set_seen(transaction, user_id, [found.number], seen=outcome.here, by=By.MAILBOX)


def link(transaction: Transaction, folder_id: int, uid: int, number: int) -> None:
    """Note that a mail is this message; it is not to be fetched."""
    transaction.connection.execute(
        "UPDATE counterpart SET number = ?1, wanted = 0, arrived_ms = max(arrived_ms, ?2)"
        " WHERE folder_id = ?3 AND uid = ?4",
        (number, ids.received_ms(number), folder_id, uid),
    )


def _find(connection: sqlite3.Connection, folder_id: int, user_id: int, mail: Sighting) -> Candidate | None:
    values: dict[str, object] = {"folder_id": folder_id, "user_id": user_id}
    if mail.message_id:
        rows = connection.execute(NAMED, values | {"message_id": mail.message_id})
    else:
        since, until = ids.at(mail.arrived_ms - NEAR_MS), ids.at(mail.arrived_ms + NEAR_MS)
        rows = connection.execute(NAMELESS, values | {"since": since, "until": until})
    candidates = [
        Candidate(
            number=number,
            message_id=message_id,
            size=size,
            seen=bool(seen),
            by=None if seen_ms is None else seen_by or "",
        )
        for number, message_id, size, seen, seen_ms, seen_by in rows
        if not (seen and seen_ms is None)  # nobody saw it: a rule keeps it from the devices, so it is left alone
    ]
    return match(mail, candidates)


def _user_of(connection: sqlite3.Connection, folder_id: int) -> int | None:
    row = connection.execute(
        "SELECT b.user_id FROM folder f JOIN mailbox b USING (mailbox_id) WHERE f.folder_id = ?", (folder_id,)
    ).fetchone()
    return None if row is None else int(row[0])


# --- what the mailbox is told -----------------------------------------------------------------------


def pending(connection: sqlite3.Connection, folder_id: int) -> dict[int, bool]:
    """What the mailbox has to be told: UIDs, and whether each is seen; some of it, if it is much."""
    return {uid: bool(seen) for uid, seen in connection.execute(_PENDING, (folder_id, AT_ONCE))}


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


# --- mail that is fetched ---------------------------------------------------------------------------


def wanted(connection: sqlite3.Connection, folder_id: int) -> list[int]:
    """UIDs of mails that are to be fetched, ascending; some of them, if they are many."""
    rows = connection.execute(
        "SELECT uid FROM counterpart WHERE folder_id = ? AND wanted ORDER BY uid LIMIT ?", (folder_id, AT_ONCE)
    )
    return [uid for (uid,) in rows]


def unwanted(transaction: Transaction, folder_id: int, uid: int) -> None:
    """A mail is not to be fetched any more."""
    transaction.connection.execute(
        "UPDATE counterpart SET wanted = 0 WHERE folder_id = ? AND uid = ?", (folder_id, uid)
    )


def keep(
    transaction: Transaction,
    mail: Mail,
    *,
    folder_id: int,
    validity: int,
    uid: int,
    terms: Terms,
    retention: Retention,
) -> tuple[Kept, ...]:
    """Keep a mail that was fetched, once: who asks again for the same UIDVALIDITY and UID gets nothing.

    One that came by SMTP meanwhile is a known copy.
    """
    connection = transaction.connection
    row = connection.execute(
        "SELECT c.agreed, c.message_id, c.size, c.arrived_ms FROM counterpart c JOIN folder f USING (folder_id)"
        " WHERE c.folder_id = ? AND c.uid = ? AND f.validity = ? AND c.wanted",
        (folder_id, uid, validity),
    ).fetchone()
    if row is None:
        return ()
    seen, message_id, size, arrived_ms = row
    [recipient] = mail.envelope.recipients
    sighting = Sighting(uid=uid, seen=bool(seen), message_id=message_id, size=size, arrived_ms=arrived_ms)
    found = _find(connection, folder_id, recipient.user_id, sighting)
    if found is not None:
        _meet(transaction, folder_id, recipient.user_id, sighting)
        unwanted(transaction, folder_id, uid)
        return (Kept(recipient.user_id, recipient.user, found.number, copy_of_known=True),)
    [kept] = messages.keep(transaction, [mail], terms=terms, retention=retention)
    unwanted(transaction, folder_id, uid)
    for each in kept:
        if not each.copy_of_known and each.alert is not Alert.SUPPRESSED:
            link(transaction, folder_id, uid, each.number)
    return kept
