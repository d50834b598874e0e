"""Operations on messages: keep, see, list, read.

A message is kept once per user however many of the user's addresses it names. A delivery that is
tried again because our 250 was lost is recognised (same user, same Message-ID, same content,
within a day) and gets the id of the first; without a Message-ID nothing is ever taken for a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.contract import ids
from bridge.contract.expiry import DAY_MS
from bridge.contract.header import pack_header, sender_date
from bridge.kept import Kept, StoredBody
from bridge.rules.alert import Alert
from bridge.rules.spam import SpamAction
from bridge.store import marks, notifications, rules

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from bridge.model import Envelope, Header, Recipient
    from bridge.store.rules import Judged
    from bridge.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Terms:
    """How messages are kept: bytes of a header payload at most, and what becomes of marked spam."""

    payload_limit: int
    spam: SpamAction = SpamAction.MARK


def keep(
    transaction: Transaction,
    envelope: Envelope,
    header: Header,
    *,
    message_id: str,
    list_id: str = "",
    terms: Terms,
) -> tuple[Kept, ...]:
    """Keep a message for each of its users: messages, body, marks, all or nothing.

    `header` is the header without a detail and with the sender's date; what differs between users
    is filled in here, and each user's rules are applied (`list_id` is for them). The result is one
    Kept per user in the order of first appearance; a user who was removed after RCPT is left out.

    What is on disk for one message after COMMIT: in `body` its raw bytes, or the name of its spool file;
    for each user a row of `message` with the header as it is published, the new `user.last_number`, rows
    of `outbox` for the header, the event and each view (`marks.py`), if it rings one of `notification` for each
    device that is rung by push, and for a user with a rate that it rang, or its part in the storm.
    """
    by_user: dict[int, Recipient] = {}
    for recipient in envelope.recipients:
        by_user.setdefault(recipient.user_id, recipient)

    body_id: int | None = None
    kept = []
    for recipient in by_user.values():
        known = _known_copy(transaction, recipient.user_id, message_id, envelope.body.digest)
        if known is not None:
            kept.append(Kept(recipient.user_id, recipient.user, known, copy_of_known=True))
            continue
        number = _next_number(transaction, recipient.user_id)
        if number is None:
            continue
        if body_id is None:
            body_id = _insert_body(transaction, envelope)
        arrival_ms = ids.received_ms(number)
        own = replace(header, detail=recipient.detail, date=sender_date(header.date, arrival_ms=arrival_ms))
        judged = rules.judge(transaction, recipient.user_id, own, list_id=list_id, spam=terms.spam)
        payload = pack_header(judged.header, limit=terms.payload_limit)
        content = (payload, message_id, envelope.body.digest, envelope.body.size, body_id)
        way = (envelope.sender, recipient.address, envelope.peer, envelope.protocol)
        _insert_message(transaction, recipient, number, judged, (*content, *way))
        kept.append(Kept(recipient.user_id, recipient.user, number, alert=judged.alert))
    return tuple(kept)


def _insert_message(
    transaction: Transaction,
    recipient: Recipient,
    number: int,
    judged: Judged,
    content: tuple[bytes | str | int | None, ...],
) -> None:
    """Insert a message and mark what it changes, unless it is suppressed.

    `content` is header payload, Message-ID, digest, size and body, and the way that it came: sender, recipient, peer,
    protocol. The messages of a storm have one event together, when it is over.
    """
    connection, user_id = transaction.connection, recipient.user_id
    seen = judged.alert is Alert.SUPPRESSED
    connection.execute(
        "INSERT INTO message (user_id, number, seen, live, silent, alert, reason,"
        " header, message_id, digest, size, body_id, sender, recipient, peer, protocol)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (user_id, number, seen, not seen, judged.alert.silent, judged.alert.value, judged.reason, *content),
    )
    rules.note(transaction, user_id, number, judged)
    if seen:
        return
    marks.messages(connection, user_id, recipient.user, [number])
    if judged.alert is not Alert.STORM:
        marks.event(connection, user_id, recipient.user, number)
    if not judged.alert.silent:
        notifications.note(transaction, user_id, number)
    transaction.grown.add(user_id)


def _known_copy(transaction: Transaction, user_id: int, message_id: str, digest: bytes) -> int | None:
    if not message_id:
        return None
    row = transaction.connection.execute(
        "SELECT max(number) FROM message WHERE user_id = ? AND message_id = ? AND digest = ? AND number >= ?",
        (user_id, message_id, digest, ids.at(transaction.now_ms - DAY_MS)),
    ).fetchone()
    found: int | None = row[0]
    return found


def _insert_body(transaction: Transaction, envelope: Envelope) -> int | None:
    body = envelope.body
    raw, file = (body.head, None) if body.spooled is None else (None, body.spooled)
    cursor = transaction.connection.execute(
        "INSERT INTO body (received_ms, size, raw, file) VALUES (?, ?, ?, ?)",
        (transaction.now_ms, body.size, raw, file),
    )
    return cursor.lastrowid


def _next_number(transaction: Transaction, user_id: int) -> int | None:
    """The number of the user's next message; None when the user was removed while it came in."""
    row = transaction.connection.execute("SELECT last_number FROM user WHERE user_id = ?", (user_id,)).fetchone()
    if row is None:
        return None
    number = ids.following(row[0], unix_ms=transaction.now_ms)
    transaction.connection.execute("UPDATE user SET last_number = ? WHERE user_id = ?", (number, user_id))
    return number


# --- what devices ask for -------------------------------------------------------------------------


def set_seen(transaction: Transaction, user_id: int, numbers: Sequence[int], *, seen: bool, by: str = "") -> int:
    """Mark messages seen, on the device `by`, or unseen; how many changed."""
    changed = 0
    at_ms, device = (transaction.now_ms, by) if seen else (None, None)
    for number in numbers:
        cursor = transaction.connection.execute(
            "UPDATE message SET seen = ?, seen_ms = ?, seen_by = ? WHERE user_id = ? AND number = ? AND seen <> ?",
            (int(seen), at_ms, device, user_id, number, int(seen)),
        )
        changed += cursor.rowcount
    if changed:
        transaction.changed.add(user_id)
    return changed


def recent(connection: sqlite3.Connection, user_id: int, limit: int) -> list[tuple[int, bytes]]:
    """Number and header payload of the newest messages, seen or not, newest first."""
    return list(
        connection.execute(
            "SELECT number, header FROM message WHERE user_id = ? ORDER BY number DESC LIMIT ?",
            (user_id, limit),
        )
    )


def users_with(connection: sqlite3.Connection, count: int) -> dict[int, str]:
    """Id and name of all users who have at least so many messages."""
    return dict(
        connection.execute(
            "SELECT user_id, name FROM user JOIN (SELECT user_id, count(*) AS kept FROM message GROUP BY user_id)"
            " USING (user_id) WHERE kept >= ?",
            (count,),
        )
    )


def body(connection: sqlite3.Connection, user_id: int, number: int) -> StoredBody | None:
    """Where the bytes of a message are, or None when this user has no such message."""
    row = connection.execute(
        "SELECT m.size, b.raw, b.file FROM message m LEFT JOIN body b USING (body_id)"
        " WHERE m.user_id = ? AND m.number = ?",
        (user_id, number),
    ).fetchone()
    return None if row is None else StoredBody(*row)


def spooled_files(connection: sqlite3.Connection) -> set[str]:
    """The names of all spool files that some message still needs."""
    return {row[0] for row in connection.execute("SELECT file FROM body WHERE file IS NOT NULL")}


def discarded_files(connection: sqlite3.Connection) -> set[str]:
    """The names of spool files whose messages are gone."""
    return {row[0] for row in connection.execute("SELECT file FROM discarded")}


def forget_discarded(transaction: Transaction, files: Iterable[str]) -> None:
    """Note that these files are removed."""
    transaction.connection.executemany("DELETE FROM discarded WHERE file = ?", [(file,) for file in files])
