"""Mailboxes that are followed: added, listed and removed. The bridge notices by the revision of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.mailbox.account import MailAccount, Secret, SecretKind, Watched
from bridge.store.people import PeopleError, user_id_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


MOST_FOLDERS = 10
"""Folders of one mailbox at most: each has a connection, and providers let in few of one account (Gmail: 15)."""

_ACCOUNTS = """
SELECT b.mailbox_id, b.user_id, u.name, b.host, b.port, b.tls, b.login, b.secret_kind, b.secret, b.source_ms,
    b.events
FROM mailbox b JOIN user u USING (user_id)
"""


def add(transaction: Transaction, account: MailAccount, folders: Sequence[str]) -> int:
    """Have a mailbox followed; its id. The account's own id and that of its user are not looked at.

    One that is there already has its secret, its folders and what is fetched replaced, and goes on where it was.
    Raises PeopleError.
    """
    if not 0 < len(set(folders)) <= MOST_FOLDERS:
        raise PeopleError(f"a mailbox has 1 to {MOST_FOLDERS} folders that are followed")
    connection, user_id = transaction.connection, user_id_of(transaction.connection, account.user)
    row = connection.execute(
        "INSERT INTO mailbox (user_id, host, port, tls, login, secret_kind, secret, source_ms, events, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, host, port, login) DO UPDATE SET"
        " tls = excluded.tls, secret_kind = excluded.secret_kind, secret = excluded.secret,"
        " source_ms = excluded.source_ms, events = excluded.events RETURNING mailbox_id",
        (
            user_id,
            account.host,
            account.port,
            int(account.tls),
            account.login,
            account.secret.kind,
            account.secret.where,
            account.source_ms,
            int(account.events),
            transaction.now_ms,
        ),
    ).fetchone()
    mailbox_id = int(row[0])
    there = {name for (name,) in connection.execute("SELECT name FROM folder WHERE mailbox_id = ?", (mailbox_id,))}
    for name in there - set(folders):
        connection.execute("DELETE FROM folder WHERE mailbox_id = ? AND name = ?", (mailbox_id, name))
    for name in dict.fromkeys(folders):
        if name not in there:
            connection.execute("INSERT INTO folder (mailbox_id, name) VALUES (?, ?)", (mailbox_id, name))
    return mailbox_id


def remove(transaction: Transaction, mailbox_id: int) -> None:
    """Have a mailbox followed no more; what was kept of it stays. Raises PeopleError."""
    cursor = transaction.connection.execute("DELETE FROM mailbox WHERE mailbox_id = ?", (mailbox_id,))
    if not cursor.rowcount:
        raise PeopleError(f"there is no mailbox {mailbox_id}; see: postbell mailbox list")


def accounts(connection: StoreConnection, user: str | None = None) -> list[MailAccount]:
    """All mailboxes, or those of one user; raises PeopleError where there is no such user."""
    if user is None:
        return [_account(row) for row in connection.execute(f"{_ACCOUNTS} ORDER BY u.name, b.mailbox_id")]
    user_id = user_id_of(connection, user)
    rows = connection.execute(f"{_ACCOUNTS} WHERE b.user_id = ? ORDER BY b.mailbox_id", (user_id,))
    return [_account(row) for row in rows]


def watched(connection: StoreConnection) -> list[Watched]:
    """All folders that are followed."""
    by_id = {account.mailbox_id: account for account in accounts(connection)}
    rows = connection.execute(
        "SELECT folder_id, mailbox_id, name, count(*) OVER (PARTITION BY mailbox_id) - 1 FROM folder ORDER BY folder_id"
    )
    return [
        Watched(folder_id=folder_id, account=by_id[mailbox_id], name=name, others=others)
        for folder_id, mailbox_id, name, others in rows
        if mailbox_id in by_id
    ]


def _account(row: tuple[object, ...]) -> MailAccount:
    mailbox_id, user_id, user, host, port, tls, login, kind, where, source_ms, events = row
    return MailAccount(
        mailbox_id=int(str(mailbox_id)),
        user_id=int(str(user_id)),
        user=str(user),
        host=str(host),
        port=int(str(port)),
        tls=bool(tls),
        login=str(login),
        secret=Secret(SecretKind(str(kind)), str(where)),
        source_ms=None if source_ms is None else int(str(source_ms)),
        events=bool(events),
    )
