"""Which device is to be rung for which message: rows that are made in the transaction that keeps the message.

A row waits until its push service took it, or until there is nothing to tell any more. It stays afterwards, with what
became of it, as long as the message's header does: `postbell trace` tells it. What is to be said is read when its turn
comes, so an old state is never told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.contract.header import unpack_header
from bridge.kept import PushResult, PushWaiting, Tried
from bridge.model import Storm, Subscription
from bridge.store import subscriptions
from bridge.store.live import unread

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bridge.store.engine import StoreConnection
    from bridge.store.writer import Transaction


_STORM_LIVES = (
    "EXISTS (SELECT 1 FROM message l"
    " WHERE l.user_id = s.user_id AND l.live = 1 AND l.number BETWEEN s.first AND s.last)"
)
_TAKE = f"""
SELECT n.user_id, u.name, n.device, n.number, n.created_ms, p.failures, p.endpoint, p.host, p.p256dh, p.auth,
    m.header, m.live = 1 AND m.silent = 0, m.told_ms IS NOT NULL, s.first IS NOT NULL AND {_STORM_LIVES},
    s.more, s.from_name, s.from_address
FROM push p
CROSS JOIN notification n ON n.user_id = p.user_id AND n.device = p.device AND n.number =
    (SELECT number FROM notification f WHERE f.user_id = p.user_id AND f.device = p.device AND f.result IS NULL
     ORDER BY f.tries, f.number LIMIT 1)
JOIN user u ON u.user_id = p.user_id
LEFT JOIN message m ON m.user_id = n.user_id AND m.number = n.number
LEFT JOIN storm s ON s.user_id = n.user_id AND s.first = n.number AND s.open = 0
WHERE p.forgotten_ms IS NULL AND p.retry_ms <= :now_ms
    AND p.host NOT IN (SELECT CAST(value AS TEXT) FROM json_each(:hosts))
ORDER BY n.created_ms, n.number LIMIT :limit
"""  # noqa: S608 - ours
_NOTHING_TO_TELL = f"""
NOT EXISTS (SELECT 1 FROM message m WHERE m.user_id = notification.user_id AND m.number = notification.number
    AND m.live = 1 AND m.silent = 0)
AND NOT EXISTS (SELECT 1 FROM storm s WHERE s.user_id = notification.user_id AND s.first = notification.number
    AND s.open = 0 AND {_STORM_LIVES})
"""  # noqa: S608 - ours


@dataclass(frozen=True, slots=True)
class PushBacklog:
    """What waits: how many, and since when the oldest, in Unix milliseconds; None when nothing does."""

    waiting: int
    oldest_ms: int | None


def note(transaction: Transaction, user_id: int, number: int) -> None:
    """Have all devices of a user that are rung by push told of a message, or of a storm by the number of its first."""
    transaction.rung = True
    transaction.connection.execute(
        "INSERT INTO notification (user_id, number, device, created_ms)"
        " SELECT user_id, ?, device, ? FROM push WHERE user_id = ? AND forgotten_ms IS NULL ON CONFLICT DO NOTHING",
        (number, transaction.now_ms, user_id),
    )


def note_all(transaction: Transaction, rings: Iterable[tuple[int, int]]) -> None:
    """The same for many: user and number of each."""
    transaction.rung = True
    transaction.connection.execute(
        "INSERT INTO notification (user_id, number, device, created_ms)"
        " SELECT p.user_id, w.value ->> 1, p.device, ? FROM json_each(?) w"
        " CROSS JOIN push p ON p.user_id = w.value ->> 0 WHERE p.forgotten_ms IS NULL ON CONFLICT DO NOTHING",
        (transaction.now_ms, json.dumps(list(rings))),
    )


def take(
    connection: StoreConnection, *, now_ms: int, ttl_ms: int, limit: int, without: Collection[str], days: float
) -> list[PushWaiting]:
    """For each device the message whose turn it is, oldest first; none where the push service is one of `without`.

    The turn is the one's that was tried least, so that what a push service does not take keeps nothing else from it.
    """
    values = {
        "now_ms": now_ms,
        "hosts": json.dumps(sorted(without)),
        "limit": limit,
    }
    rows = connection.execute(_TAKE, values).fetchall()
    counts = {row[0]: unread(connection, row[0], now_ms=now_ms, days=days) for row in rows}
    return [_waiting(row, counts[row[0]], over=row[4] <= now_ms - ttl_ms) for row in rows]


def _waiting(row: tuple[Any, ...], count: int, *, over: bool) -> PushWaiting:
    user_id, user, device, number, created_ms, failures, *subscription, header, rings, told, storms, more, name, who = (
        row
    )
    return PushWaiting(
        user_id=user_id,
        user=user,
        device=device,
        number=number,
        created_ms=created_ms,
        failures=failures,
        subscription=Subscription(*subscription),
        header=unpack_header(header) if rings else None,
        storm=Storm(more, name, who) if storms else None,
        told=bool(told),
        unread=count,
        gone=over or not (rings or storms),
    )


def sweep(transaction: Transaction, user_id: int, device: str, *, ttl_ms: int) -> dict[PushResult, int]:
    """Let go of all that a device need not be told any more; how much for which reason."""
    connection, now_ms = transaction.connection, transaction.now_ms
    of_device = "UPDATE notification SET result = ?, at_ms = ? WHERE user_id = ? AND device = ? AND result IS NULL AND "
    seen = connection.execute(of_device + _NOTHING_TO_TELL, (PushResult.SEEN, now_ms, user_id, device))
    over = connection.execute(
        of_device + "created_ms <= ?", (PushResult.EXPIRED, now_ms, user_id, device, now_ms - ttl_ms)
    )
    return {PushResult.SEEN: seen.rowcount, PushResult.EXPIRED: over.rowcount}


def sweep_all(transaction: Transaction) -> int:
    """Let go of all that waits, since nobody is rung now; how much."""
    cursor = transaction.connection.execute(
        "UPDATE notification SET result = ?, at_ms = ? WHERE result IS NULL", (PushResult.OFF, transaction.now_ms)
    )
    return cursor.rowcount


def record(transaction: Transaction, tries: Iterable[Tried]) -> None:
    """Note what came of tries. What is said of an endpoint holds for that alone: the device may have another now."""
    connection, now_ms = transaction.connection, transaction.now_ms
    for tried in tries:
        waiting = tried.waiting
        whose = (waiting.user_id, waiting.device)
        at_ms = None if tried.result is None else now_ms
        own = (*whose, waiting.subscription.endpoint)
        current = connection.execute("SELECT 1 FROM push WHERE user_id = ? AND device = ? AND endpoint = ?", own)
        if current.fetchone() is None:
            if tried.result in {None, PushResult.FORGOTTEN}:
                continue  # the next endpoint is to be told of it
        elif tried.result is PushResult.FORGOTTEN:
            subscriptions.forget(transaction, *whose, because=tried.trouble)
            continue
        elif tried.result is None:
            connection.execute(
                "UPDATE push SET failures = failures + 1, failing_ms = coalesce(failing_ms, ?), trouble = ?,"
                " retry_ms = ?, skew_s = coalesce(?, skew_s) WHERE user_id = ? AND device = ?",
                (now_ms, tried.trouble, tried.retry_ms, tried.skew_s, *whose),
            )
        elif tried.result is PushResult.SENT:
            connection.execute(
                "UPDATE push SET failures = 0, failing_ms = NULL, trouble = '', retry_ms = 0, ok_ms = ?,"
                " skew_s = coalesce(?, skew_s) WHERE user_id = ? AND device = ?",
                (now_ms, tried.skew_s, *whose),
            )
        connection.execute(
            "UPDATE notification SET result = ?, at_ms = ?, tries = tries + ? WHERE user_id = ? AND number = ?"
            " AND device = ? AND result IS NULL",
            (
                tried.result,
                at_ms,
                int(tried.result is not PushResult.AWAKE),
                waiting.user_id,
                waiting.number,
                waiting.device,
            ),
        )


def any_waiting(connection: StoreConnection) -> bool:
    """Whether anything waits."""
    return connection.execute("SELECT 1 FROM notification WHERE result IS NULL LIMIT 1").fetchone() is not None


def backlog(connection: StoreConnection) -> PushBacklog:
    """What waits, over all devices."""
    return PushBacklog(
        *connection.execute("SELECT count(*), min(created_ms) FROM notification WHERE result IS NULL").fetchone()
    )


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of ringing a device for a message: None while it waits. When, and how many tries there were."""

    result: PushResult | None
    at_ms: int | None
    tries: int


def of_message(connection: StoreConnection, user: str, number: int) -> dict[str, Rung]:
    """The devices of a user that were to be rung for a message, and what became of each."""
    rows = connection.execute(
        "SELECT n.device, n.result, n.at_ms, n.tries FROM notification n JOIN user u USING (user_id)"
        " WHERE u.name = ? AND n.number = ?",
        (user, number),
    )
    return {device: Rung(PushResult(result) if result else None, *rest) for device, result, *rest in rows}
