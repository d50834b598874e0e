"""What the broker should be told of a row of the outbox: one pure function a kind, from the row and what is known.

The truth is what the store knows at the moment when the row's turn comes. Nothing here reads it:
`outbox.py` does, and hands it over as values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.contract import ids
from bridge.contract.expiry import left_s
from bridge.contract.header import fitted, unpack_header
from bridge.contract.publication import Kind, Publication
from bridge.contract.views import event_view, last_view, pack_digest, storm_event_view, text_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.model import Storm

EVENT_LIFETIME_MS = 300_000
"""An event older than this is news no more: automations are not flooded after an outage."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox (`migrations/0001_initial.sql`): a topic that may be wrong on the broker."""

    path: str
    kind: Kind
    generation: int
    user_id: int
    number: int = 0

    def publish(self, payload: bytes) -> Publication:
        """Bring this state to the broker; an empty payload clears the topic."""
        return Publication(self.path, self.path, payload, True, self.kind, self.user_id, self.number, self.generation)

    def drop(self) -> Publication:
        """Publish nothing: the row only has to go."""
        return Publication(
            self.path, self.path, b"", True, self.kind, self.user_id, self.number, self.generation, needed=False
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """The user of a row: their name, the views that are on, and how long a header their devices take, if less."""

    name: str
    views: frozenset[str]
    payload: int | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """The message of a row: its header payload, whether it is in the live set, whether the broker may hold it.

    What the broker held once some device may have, so `held` is cleared by the PUBACK of a tombstone alone.
    """

    header: bytes
    live: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Told:
    """The storm that an event tells of, and when its window ended."""

    storm: Storm
    until_ms: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows about a row's topic; None where there is no such thing any more."""

    owner: Owner | None = None
    mail: Mail | None = None
    told: Told | None = None


# --- messages, events and strays ------------------------------------------------------------------


def message(row: Row, known: Known, *, now_ms: int, days: float) -> Publication:
    """The header while the message is live; else a tombstone, unless nobody was ever told of it.

    A message that is gone from the table may still be held, so it gets one too. The broker is told when
    the message leaves by age, and of a tombstone nothing: it is never retained, and a device that is away must hear it.
    """
    if known.mail is not None and known.mail.live:
        header = row.publish(fitted(known.mail.header, known.owner.payload if known.owner else None))
        return replace(header, expiry_s=left_s(ids.received_ms(row.number), days=days, now_ms=now_ms))
    if known.mail is not None and not known.mail.held:
        return row.drop()
    return row.publish(b"")


def event(row: Row, known: Known, *, now_ms: int, days: float) -> Publication:
    """The news of a live message or of a storm that ended, while it is news and the user wants events.

    The only kind that is not retained; its row has the message's id behind the topic. For whoever is away it waits
    at the broker no longer than the mail itself.
    """
    if known.owner is None or Kind.EVENT not in known.owner.views:
        return row.drop()
    happened_ms = ids.received_ms(row.number) if known.told is None else known.told.until_ms
    if now_ms - happened_ms >= EVENT_LIFETIME_MS:
        return row.drop()
    if known.told is not None:
        payload = storm_event_view(known.told.storm, user=known.owner.name)
    elif known.mail is not None and known.mail.live:
        payload = event_view(row.number, unpack_header(known.mail.header), user=known.owner.name)
    else:
        return row.drop()
    topic = row.path.rpartition("/")[0]
    told = Publication(row.path, topic, payload, False, row.kind, row.user_id, row.number, row.generation)
    return replace(told, expiry_s=left_s(happened_ms, days=days, now_ms=now_ms))


def stray(row: Row, known: Known, *, now_ms: int, days: float) -> Publication:
    """Whatever it is, it has to go. Where there are cells, the path begins with the one: no topic has such a level."""
    del known, now_ms, days
    gone = row.publish(b"")
    return replace(gone, topic=row.path.partition("/")[2]) if row.path.startswith("#") else gone


MESSAGES: Mapping[Kind, Callable[..., Publication]] = {
    Kind.MESSAGE: message,
    Kind.EVENT: event,
    Kind.STRAY: stray,
}
"""Every kind that goes before the views; each takes a Row, what is Known, the moment, and the days of live mail."""


# --- views ----------------------------------------------------------------------------------------


def view_is_on(kind: Kind, views: frozenset[str]) -> bool:
    """Whether a user has a view; the digest is part of the protocol and always there."""
    return kind is Kind.BOX or kind in views


def view(row: Row, payload: bytes, *, text_held: bytes | None) -> Publication:
    """A view with its newest value; empty for one that is off or has nothing to say.

    Apps ring for whatever comes on `text`, so that one is published only when it says something
    else than what the broker is known to hold. None for `text_held` is: who knows.
    """
    if row.kind is Kind.TEXT and payload == text_held:
        return row.drop()
    return row.publish(payload)


def box(numbers: Sequence[int]) -> bytes:
    """The digest of a live set."""
    return pack_digest(ids.encode(number) for number in numbers)


def unread(count: int) -> bytes:
    """How many messages nobody has seen, in decimal."""
    return str(count).encode()


def last(number: int, header: bytes) -> bytes:
    """The newest live message."""
    return last_view(number, unpack_header(header))


def text(header: bytes | None, storm: Storm | None, *, limit: int | None = None) -> bytes:
    """The newest live message that rings, and the storm behind it, within what the owner's devices take."""
    return text_view(None if header is None else unpack_header(header), storm, limit=limit)
