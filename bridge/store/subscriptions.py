"""Where devices are rung by Web Push, and the key of this installation that push services know it by.

A subscription is its device's: it goes with the device, with its password (whoever had the old one could have sent
it) and with its user. What a push service says of it stands beside it, for `device list` and the doctor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.kept import PushStanding, PushState
from bridge.model import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


FORBEARANCE_MS = 5_000
"""A device that sends another endpoint while the last one failed waits for so long, however often it does."""
_STANDING = """
SELECT p.endpoint, p.host, p.p256dh, p.auth, p.since_ms, p.ok_ms, p.failing_ms, p.trouble, p.forgotten_ms, p.skew_s,
    (SELECT count(*) FROM notification n WHERE n.user_id = p.user_id AND n.device = p.device AND n.result IS NULL)
FROM push p
"""


def key(transaction: Transaction, fresh: Callable[[], bytes]) -> bytes:
    """The private key: the one that is there, or what `fresh` makes, 32 bytes, which is kept from then on."""
    found = read_key(transaction.connection)
    if found is None:
        found = fresh()
        transaction.connection.execute("INSERT INTO push_key VALUES (1, ?, ?)", (found, transaction.now_ms))
    return found


def read_key(connection: StoreConnection) -> bytes | None:
    """The private key; None before the first device asked for it."""
    row = connection.execute("SELECT private FROM push_key").fetchone()
    return None if row is None else row[0]


def renew_key(transaction: Transaction, fresh: bytes) -> int:
    """Take another private key, and forget all subscriptions: they are bound to the old one. How many there were."""
    connection = transaction.connection
    connection.execute("DELETE FROM push_key")
    connection.execute("INSERT INTO push_key VALUES (1, ?, ?)", (fresh, transaction.now_ms))
    rows = connection.execute("SELECT user_id, device FROM push WHERE forgotten_ms IS NULL").fetchall()
    for user_id, device in rows:
        forget(transaction, user_id, device, because="postbell push renew")
    return len(rows)


def put(transaction: Transaction, user_id: int, device: str, given: Subscription) -> str | None:
    """Have a device rung there from now on, in the place of where it was; the user's name if that is anything new.

    Nothing happens when it says the same again, as it does at each start, or when there is no such device.
    """
    connection = transaction.connection
    row = connection.execute(
        "SELECT endpoint, p256dh, auth, retry_ms FROM push WHERE user_id = ? AND device = ?", (user_id, device)
    ).fetchone()
    if row is not None and row[:3] == (given.endpoint, given.p256dh, given.auth):
        return None
    retry_ms = 0 if row is None else min(row[3], transaction.now_ms + FORBEARANCE_MS)
    connection.execute("DELETE FROM push WHERE user_id = ? AND device = ?", (user_id, device))
    connection.execute(
        "INSERT INTO push (user_id, device, endpoint, host, p256dh, auth, since_ms, retry_ms)"
        " SELECT user_id, name, ?, ?, ?, ?, ?, ? FROM device WHERE user_id = ? AND name = ?",
        (given.endpoint, given.host, given.p256dh, given.auth, transaction.now_ms, retry_ms, user_id, device),
    )
    return _owner(connection, user_id, device)


def end(transaction: Transaction, user_id: int, device: str) -> str | None:
    """Ring a device no more; the user's name if it was rung."""
    connection, whose = transaction.connection, (user_id, device)
    owner = _owner(connection, user_id, device)
    connection.execute("DELETE FROM push WHERE user_id = ? AND device = ?", whose)
    connection.execute("DELETE FROM notification WHERE user_id = ? AND device = ? AND result IS NULL", whose)
    return owner


def _owner(connection: StoreConnection, user_id: int, device: str) -> str | None:
    row = connection.execute(
        "SELECT name FROM user JOIN push USING (user_id) WHERE user_id = ? AND device = ?", (user_id, device)
    ).fetchone()
    return None if row is None else row[0]


def forget(transaction: Transaction, user_id: int, device: str, *, because: str) -> None:
    """Leave nothing of a subscription but that there was one, and what waits for it."""
    transaction.connection.execute(
        "UPDATE push SET endpoint = '', p256dh = ?, auth = ?, forgotten_ms = ?, trouble = ?"
        " WHERE user_id = ? AND device = ?",
        (b"", b"", transaction.now_ms, because, user_id, device),
    )
    transaction.connection.execute(
        "UPDATE notification SET result = 'forgotten', at_ms = ? WHERE user_id = ? AND device = ? AND result IS NULL",
        (transaction.now_ms, user_id, device),
    )


def standing(connection: StoreConnection, user_id: int, device: str) -> PushStanding | None:
    """How it goes with a device; None when it has no subscription."""
    row = connection.execute(f"{_STANDING} WHERE p.user_id = ? AND p.device = ?", (user_id, device)).fetchone()
    return None if row is None else _standing(row)


def standings(connection: StoreConnection) -> dict[tuple[str, str], PushStanding]:
    """The same of all devices that have one, by user and device."""
    rows = connection.execute(
        _STANDING.replace("SELECT ", "SELECT u.name, p.device, ", 1) + " JOIN user u USING (user_id) ORDER BY 1, 2"
    )
    return {(user, device): _standing(row) for user, device, *row in rows}


def count(connection: StoreConnection) -> int:
    """How many devices are rung."""
    found: int = connection.execute("SELECT count(*) FROM push WHERE forgotten_ms IS NULL").fetchone()[0]
    return found


def _standing(row: Any) -> PushStanding:
    endpoint, host, p256dh, auth, since_ms, ok_ms, failing_ms, trouble, forgotten_ms, skew_s, waiting = row
    if forgotten_ms is not None:
        state, at_ms = PushState.FORGOTTEN, forgotten_ms
    elif failing_ms is not None:
        state, at_ms = PushState.FAILING, failing_ms
    else:
        state, at_ms = (PushState.NEW, since_ms) if ok_ms is None else (PushState.OK, ok_ms)
    return PushStanding(
        Subscription(endpoint, host, p256dh, auth), state, at_ms, ok_ms, trouble, waiting=waiting, skew_s=skew_s
    )
