"""All that the store has of one user: told to that user, or counted when it goes. Secrets are left out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.contract import ids
from bridge.contract.header import unpack_header
from bridge.contract.views import describe
from bridge.kept import StoredBody
from bridge.store import mailboxes, views
from bridge.store.people import PeopleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.engine import StoreConnection


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a user beside mail and devices."""

    user_id: int
    user: str
    created_ms: int
    addresses: tuple[str, ...]
    views: tuple[str, ...]
    rules: dict[str, Any]
    mailboxes: tuple[dict[str, str], ...] = ()
    """Server and login of each that is followed."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """One message of a user: its facts for programs, and where its body is, if it is kept."""

    mail_id: str
    facts: dict[str, Any]
    body: StoredBody | None


def profile(connection: StoreConnection, name: str) -> Profile:
    """What is known of a user; raises PeopleError."""
    row = connection.execute("SELECT user_id, created_ms, views FROM user WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise PeopleError(f"there is no user {name!r}")
    user_id, created_ms, switched_on = row
    addresses = connection.execute("SELECT address FROM address WHERE user_id = ? ORDER BY address", (user_id,))
    rules = connection.execute("SELECT document FROM rules WHERE user_id = ?", (user_id,)).fetchone()
    return Profile(
        user_id,
        name,
        created_ms,
        tuple(address for (address,) in addresses),
        tuple(sorted(views.parse(switched_on))),
        {} if rules is None else json.loads(rules[0]),
        tuple({"url": account.url, "login": account.login} for account in mailboxes.accounts(connection, name)),
    )


def messages(connection: StoreConnection, user_id: int) -> Iterator[Belonging]:
    """All messages of a user, oldest first."""
    rows = connection.execute(
        "SELECT m.number, m.header, m.message_id, m.size, m.seen, m.silent, m.sender, m.recipient, m.peer, m.alert,"
        " m.reason, m.seen_by, b.body_id, b.raw, b.file"
        " FROM message m LEFT JOIN body b USING (body_id) WHERE m.user_id = ? ORDER BY m.number",
        (user_id,),
    )
    for number, payload, message_id, size, seen, silent, *story, body_id, raw, file in rows:
        facts = describe(number, unpack_header(payload)) | {
            "size": size,
            "message_id": message_id,
            "unseen": not seen,
            "silent": bool(silent),
            **dict(zip(("mail_from", "rcpt_to", "peer", "alert", "reason", "seen_by"), story, strict=True)),
        }
        yield Belonging(ids.encode(number), facts, None if body_id is None else StoredBody(size, raw, file))
