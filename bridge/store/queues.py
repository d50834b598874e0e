"""What waits for devices at the embedded broker: its sessions and their queues, in `sessions.db`.

The broker writes the file within a second or so; a row of a queue leaves with the device's PUBACK.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PATIENCE_S = 1.0


class DeliveryState(StrEnum):
    """How far one topic has come to one device."""

    ACKNOWLEDGED = "acknowledged"
    """The device has a session with a fitting subscription, and nothing of the topic waits for it."""
    WAITING = "waiting"
    """The broker has it for the device, which has not acknowledged it."""
    EXPIRED = "expired"
    """It waited longer than it was worth something: the device will not get it, and has not had it."""
    CLEARING = "clearing"
    """That it is gone waits for the device."""
    UNSUBSCRIBED = "unsubscribed"
    """The device has a session, and no subscription that fits."""
    NO_SESSION = "no_session"
    """The broker keeps no session for it: nobody noted what it got while it was connected."""
    UNKNOWN = "unknown"
    """It has another broker, or the file cannot be read."""


def deliveries(path: Path, topic: str, usernames: Iterable[str], *, now_ms: int) -> dict[str, DeliveryState]:
    """How far a topic has come to these logins by now, in Unix time.

    Makes no file; UNKNOWN for all when it cannot be read.
    """
    wanted = list(usernames)
    if not path.exists():
        return dict.fromkeys(wanted, DeliveryState.NO_SESSION)
    # Without its side files nobody has it open, and SQLite would make them only to look.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    try:
        uri = f"{path.resolve().as_uri()}?{how}"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as database:
            return {username: _delivery(database, topic, username, now_ms / 1000) for username in wanted}
    except sqlite3.Error:
        return dict.fromkeys(wanted, DeliveryState.UNKNOWN)


def _delivery(database: sqlite3.Connection, topic: str, username: str, now_s: float) -> DeliveryState:
    if not database.execute("SELECT 1 FROM session WHERE username = ?", (username,)).fetchone():
        return DeliveryState.NO_SESSION
    queued = database.execute(
        "SELECT payload, expires FROM queued WHERE username = ? AND topic = ? ORDER BY seq DESC LIMIT 1",
        (username, topic),
    ).fetchone()
    if queued is not None:
        payload, expires_s = queued
        if 0 < expires_s <= now_s:
            return DeliveryState.EXPIRED
        return DeliveryState.WAITING if payload else DeliveryState.CLEARING
    filters = database.execute("SELECT topic_filter FROM filter WHERE username = ?", (username,))
    fits = any(matches(topic_filter, topic) for (topic_filter,) in filters)
    return DeliveryState.ACKNOWLEDGED if fits else DeliveryState.UNSUBSCRIBED


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription gets a topic (MQTT 3.1.1 §4.7); ours begin with no `$`."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(each in {"+", level} for each, level in zip(wanted, levels, strict=True))
