"""How long a header the devices of a user take: as long as the one does that takes most (docs/decisions/0030).

All devices of a user read the same topics, so a short header is published only where every one of them needs it, and a
short line on `text`. The store keeps the whole header; what is published is cut when its turn comes.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.contract.publication import Kind
from bridge.errors import PostbellError
from bridge.store import marks, views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


LEAST_BYTES, MOST_BYTES = 64, 65_536
OF_USER = (
    "(SELECT CASE WHEN count(*) = count(d.payload) THEN max(d.payload) END FROM device d WHERE d.user_id = u.user_id)"
)
"""The limit of a user `u` in a query; NULL for none: some device takes whatever there is, or there is no device."""


class PayloadError(PostbellError):
    """No device can have such a limit."""


def of_user(connection: StoreConnection, user_id: int) -> int | None:
    """The most bytes that a header of this user may have on the broker; None where only `limits.payload` says."""
    row = connection.execute(f"SELECT {OF_USER} FROM user u WHERE u.user_id = ?", (user_id,)).fetchone()  # noqa: S608
    return None if row is None else row[0]


def limit(transaction: Transaction, user_id: int, device: str, payload: int | None) -> None:
    """Note how long a header a device takes, None for whatever there is. Raises PayloadError."""
    if payload is not None and not LEAST_BYTES <= payload <= MOST_BYTES:
        raise PayloadError(f"no device takes {payload} bytes: write {LEAST_BYTES} to {MOST_BYTES}, or 0 for no limit")
    transaction.connection.execute(
        "UPDATE device SET payload = ? WHERE user_id = ? AND name = ?", (payload, user_id, device)
    )


@contextmanager
def fitting(transaction: Transaction, user_id: int, name: str) -> Iterator[None]:
    """Devices of a user change within the block; behind it the live headers are marked that are published otherwise."""
    connection = transaction.connection
    before = of_user(connection, user_id)
    yield
    after = of_user(connection, user_id)
    if before == after:
        return
    shorter = min(each for each in (before, after) if each is not None)
    numbers = connection.execute(
        "SELECT number FROM message WHERE user_id = ? AND live = 1 AND length(header) > ? ORDER BY number",
        (user_id, shorter),
    )
    marks.messages(transaction, user_id, name, [number for (number,) in numbers.fetchall()])
    switched_on = connection.execute("SELECT views FROM user WHERE user_id = ?", (user_id,)).fetchone()
    if Kind.TEXT in views.parse(switched_on[0]):
        marks.views(transaction, user_id, name, [Kind.TEXT])
    connection.execute("UPDATE revision SET value = value + 1 WHERE name = 'people'")  # which a running bridge looks at
