"""What the last broker process left in `sessions.db`, as values: sessions, their queues, what is retained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from broker.wire.message import Message

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_QUEUES = "SELECT username, count(*), sum(length(payload)), max(seq) FROM queued GROUP BY username"
_QUEUE = (
    "SELECT seq, topic, payload, properties, expires, retain, ids FROM queued"
    " WHERE username = ? AND seq > ? AND seq < ? ORDER BY seq LIMIT 1024"
)


@dataclass(slots=True)
class SavedSession:
    """A session as the last broker process left it.

    `filters` has options and identifier of each; `received` packet ids of QoS 2 without their PUBREL. Of its queue
    there are the number of messages, the bytes of their payloads, and the last sequence number.
    """

    username: str
    credential: bytes
    seen_s: float
    expiry_s: int
    filters: dict[str, tuple[int, int]] = field(default_factory=dict)
    received: set[int] = field(default_factory=set)
    queued: int = 0
    octets: int = 0
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class SavedEntry:
    """A message that waited, with the flag and the subscription identifiers that it is sent with."""

    seq: int
    message: Message
    retain: bool
    ids: tuple[int, ...]


def sessions(database: sqlite3.Connection) -> list[SavedSession]:
    """All sessions."""
    found = {
        row[0]: SavedSession(*row) for row in database.execute("SELECT username, credential, seen, expiry FROM session")
    }
    for username, topic_filter, *about in database.execute(
        "SELECT username, topic_filter, options, identifier FROM filter"
    ):
        found[username].filters[topic_filter] = (about[0], about[1])
    for username, packet_id in database.execute("SELECT username, packet_id FROM received"):
        found[username].received.add(packet_id)
    for username, *figures in database.execute(_QUEUES):
        session = found[username]
        session.queued, session.octets, session.last_seq = figures
    return list(found.values())


def queue(database: sqlite3.Connection, username: str, *, after: int, before: int) -> list[SavedEntry]:
    """The next messages of a queue, in order, with sequence numbers between these two."""
    return [
        SavedEntry(seq, Message(topic, payload, 1, properties, expires), bool(retain), tuple(map(int, ids.split())))
        for seq, topic, payload, properties, expires, retain, ids in database.execute(_QUEUE, (username, after, before))
    ]


def retained(database: sqlite3.Connection, prefix: str) -> Iterator[Message]:
    """What is retained below a prefix.

    What lies elsewhere is forgotten: it was published below a root that is not ours any more.
    """
    database.execute("DELETE FROM retained WHERE substr(topic, 1, ?) <> ?", (len(prefix), prefix))
    for row in database.execute("SELECT topic, payload, qos, properties, expires FROM retained"):
        yield Message(*row)


def visitors(database: sqlite3.Connection) -> set[str]:
    """Those of whom it is known when they were here. Nobody is any more."""
    database.execute("UPDATE visit SET online = 0, seen = max(seen, coalesce((SELECT at FROM beat), 0)) WHERE online")
    return {username for (username,) in database.execute("SELECT username FROM visit")}
