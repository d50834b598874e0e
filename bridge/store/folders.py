"""Folders that are followed, as they were found last. Nothing is kept of one with another UIDVALIDITY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of a folder: its UIDVALIDITY (0: it was never open), UIDs of mails, ascending.

    `next_uid` is the first that was not looked at (0: none was), and all is known up to the HIGHESTMODSEQ `modseq` (0:
    who knows).
    """

    validity: int
    uids: tuple[int, ...]
    next_uid: int
    modseq: int


NOTHING = Opened(0, (), 0, 0)


def open_folder(transaction: Transaction, folder_id: int, *, validity: int, horizon_ms: int) -> Opened:
    """What is known of a folder with this UIDVALIDITY; what is known of it with another one is forgotten.

    So is what came before `horizon_ms`.
    """
    connection = transaction.connection
    row = connection.execute("SELECT validity FROM folder WHERE folder_id = ?", (folder_id,)).fetchone()
    if row is None:
        return NOTHING
    if row[0] != validity:
        connection.execute("DELETE FROM counterpart WHERE folder_id = ?", (folder_id,))
        connection.execute(
            "UPDATE folder SET validity = ?, next_uid = 0, modseq = 0 WHERE folder_id = ?", (validity, folder_id)
        )
    connection.execute(
        "DELETE FROM counterpart WHERE folder_id = ? AND arrived_ms < ? AND wanted = 0", (folder_id, horizon_ms)
    )
    return last(connection, folder_id)


def last(connection: StoreConnection, folder_id: int) -> Opened:
    """What was known of a folder when it was open last."""
    row = connection.execute(
        "SELECT validity, next_uid, modseq FROM folder WHERE folder_id = ?", (folder_id,)
    ).fetchone()
    if row is None:
        return NOTHING
    validity, next_uid, modseq = row
    return Opened(validity, known(connection, folder_id), next_uid, modseq)


def known(connection: StoreConnection, folder_id: int) -> tuple[int, ...]:
    """The UIDs of all mails of a folder that are known, ascending."""
    rows = connection.execute("SELECT uid FROM counterpart WHERE folder_id = ? ORDER BY uid", (folder_id,))
    return tuple(uid for (uid,) in rows)


def reached(transaction: Transaction, folder_id: int, *, modseq: int) -> None:
    """All that the folder had up to this HIGHESTMODSEQ is known."""
    transaction.connection.execute("UPDATE folder SET modseq = ? WHERE folder_id = ?", (modseq, folder_id))


def user_of(connection: StoreConnection, folder_id: int) -> int | None:
    """Whose folder it is; None where it is followed no more."""
    row = connection.execute(
        "SELECT b.user_id FROM folder f JOIN mailbox b USING (mailbox_id) WHERE f.folder_id = ?", (folder_id,)
    ).fetchone()
    return None if row is None else int(row[0])
