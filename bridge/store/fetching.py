"""Mail that is fetched out of a folder: which, and that it is kept once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.kept import Kept
from bridge.mailbox.matching import Sighting
from bridge.rules.alert import Alert
from bridge.store import meeting, messages

if TYPE_CHECKING:
    from bridge.box.box import Mail, Terms
    from bridge.box.live_set import Retention
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


WANTED = "SELECT uid FROM counterpart WHERE folder_id = ? AND wanted = 1 ORDER BY uid LIMIT ?"
AT_ONCE = 200
"""Mails of a folder that are fetched in a row."""


def wanted(connection: StoreConnection, folder_id: int) -> list[int]:
    """UIDs of mails that are to be fetched, ascending; some of them, if they are many."""
    return [uid for (uid,) in connection.execute(WANTED, (folder_id, AT_ONCE))]


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
        " WHERE c.folder_id = ? AND c.uid = ? AND f.validity = ? AND c.wanted = 1",
        (folder_id, uid, validity),
    ).fetchone()
    if row is None:
        return ()
    seen, message_id, size, arrived_ms = row
    [recipient] = mail.envelope.recipients
    sighting = Sighting(uid=uid, seen=bool(seen), message_id=message_id, size=size, arrived_ms=arrived_ms)
    found = meeting.find(connection, folder_id, recipient.user_id, sighting)
    if found is not None:
        meeting.meet(transaction, folder_id, recipient.user_id, sighting)
        unwanted(transaction, folder_id, uid)
        return (Kept(recipient.user_id, recipient.user, found.number, copy_of_known=True),)
    [kept] = messages.keep(transaction, [mail], terms=terms, retention=retention)
    unwanted(transaction, folder_id, uid)
    for each in kept:
        if not each.copy_of_known and each.alert is not Alert.SUPPRESSED:
            meeting.link(transaction, folder_id, uid, each.number)
    return kept
