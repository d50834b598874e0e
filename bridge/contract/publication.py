"""One publish on its way from the outbox to the broker, and what kinds of outbox rows there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.contract import ids


class Kind(StrEnum):
    """What a row of the outbox is about. The values are those in the database; a view's is its name."""

    MESSAGE = "msg"
    """The header of one message, or its tombstone."""
    EVENT = "event"
    """The news of one message or one storm; the only kind that is not retained."""
    STRAY = "stray"
    """A topic that belongs to nobody and has to be cleared."""
    BOX = "box"
    """The box digest."""
    LAST = "last"
    """The newest live message, as JSON."""
    TEXT = "text"
    """The newest live message that rings, and the storm behind it, as one line."""
    UNREAD = "unread"
    """How many messages nobody has seen."""

    @property
    def is_view(self) -> bool:
        """Whether only the newest value counts; what is no view goes before the views, in order."""
        return self not in {Kind.MESSAGE, Kind.EVENT, Kind.STRAY}


@dataclass(slots=True)  # that it were frozen would cost three times as much, twice for each mail
class Publication:
    """A state to bring to the broker: the row it came from, and what to publish at this moment. Nobody changes it.

    `path` names the row, `topic` is where it goes, both without the root; an empty payload clears a
    retained topic. `number` is the message's id as a number, 0 for views. `generation` is the row's
    when it was read: one that was marked again since has a higher one. `new` says that it waits in the message's
    own row, and in none of the outbox, and `cell` at which broker its user was when it was kept. `needed` is False
    when the broker already agrees and the row only has to go. `expiry_s` is after how many seconds the broker
    forgets it by itself, if ever. `epoch` is that of the lease under which it was taken, where several bridges share a
    database (`bridge/shards/plan.py`).
    """

    path: str
    topic: str
    payload: bytes
    retain: bool
    kind: Kind
    user_id: int
    number: int
    generation: int
    needed: bool = True
    expiry_s: int | None = None
    new: bool = False
    epoch: int = 0
    cell: int = 0

    @property
    def mail_id(self) -> str:
        """The id of the message it is about, empty for views."""
        return ids.encode(self.number) if self.number else ""


def header_of(user: str, user_id: int, number: int, payload: bytes, *, expiry_s: int, cell: int = 0) -> Publication:
    """The header of a new message, which is retained."""
    path = f"{user}/msg/{ids.encode(number)}"
    return Publication(path, path, payload, True, Kind.MESSAGE, user_id, number, 0, True, expiry_s, True, cell=cell)


def event_of(user: str, user_id: int, number: int, payload: bytes, *, expiry_s: int, cell: int = 0) -> Publication:
    """The event of a new message, which is not; its path has the message's id behind the topic."""
    topic = f"{user}/event"
    path = f"{topic}/{ids.encode(number)}"
    return Publication(path, topic, payload, False, Kind.EVENT, user_id, number, 0, True, expiry_s, True, cell=cell)
