"""What the store knows of the way of one message: how it came, what was decided, what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.contract import ids
from bridge.contract.header import unpack_header
from bridge.contract.publication import Kind

if TYPE_CHECKING:
    from bridge.model import Header
    from bridge.store.engine import StoreConnection


_QUERY = """
SELECT u.name, m.number, m.header, m.message_id, m.size, m.seen, m.live, m.silent, m.body_id IS NOT NULL,
    m.sender, m.recipient, m.peer, m.protocol, m.alert, m.reason, m.told_ms, m.seen_ms, m.seen_by,
    m.waits & 1 <> 0
        OR EXISTS (SELECT 1 FROM outbox o WHERE o.kind = ? AND o.user_id = m.user_id AND o.number = m.number)
FROM message m JOIN user u USING (user_id)
"""


@dataclass(frozen=True, slots=True)
class Handover:
    """How a message was handed in: MAIL FROM and RCPT TO, from which address ('': a UNIX socket), by what protocol."""

    sender: str
    recipient: str
    peer: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Traced:
    """A message of one user. Times are Unix milliseconds, None where there is none or it was not noted.

    `arrival`, `alert` and `reason` are None for what was kept before they were noted (migration 0005). `waits` says
    that its state waits in the outbox, `told_ms` when the broker first had its header.
    """

    user: str
    number: int
    header: Header
    message_id: str
    size: int
    seen: bool
    live: bool
    silent: bool
    has_body: bool
    arrival: Handover | None
    alert: str | None
    reason: str | None
    told_ms: int | None
    seen_ms: int | None
    seen_by: str | None
    waits: bool


def find(connection: StoreConnection, sought: str, *, user: str | None = None) -> list[Traced]:
    """The messages with this id, or with this Message-ID (brackets or not), of all users or of one; oldest first.

    An id is one user's: two users may have the same for two mails.
    """
    values: list[object]
    try:
        condition, values = "m.number = ?", [ids.decode(sought.strip().lower())]
    except ValueError:
        bare = sought.strip().removeprefix("<").removesuffix(">")
        condition, values = "m.message_id IN (?, ?)", [bare, f"<{bare}>"]
    rows = connection.execute(
        f"{_QUERY} WHERE {condition} AND (CAST(? AS TEXT) IS NULL OR u.name = ?) ORDER BY m.number, u.name",
        (Kind.MESSAGE.value, *values, user, user),
    )
    return [_traced(row) for row in rows]


def _traced(row: tuple[Any, ...]) -> Traced:
    name, number, header, message_id, size, *flags = row[:9]
    seen, live, silent, has_body = map(bool, flags)
    *way, alert, reason, told_ms, seen_ms, seen_by, waits = row[9:]
    return Traced(
        *(name, number, unpack_header(header), message_id, size, seen, live, silent, has_body),
        None if way[0] is None else Handover(*way),
        *(alert, reason, told_ms, seen_ms, seen_by, bool(waits)),
    )
