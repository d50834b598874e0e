"""What a unit of work comes to: rows to insert and to change, named as their columns, and what can be published."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.contract.publication import Publication
    from bridge.kept import Kept
    from bridge.model import Header


class Waits(IntFlag):
    """What of a new message waits for the broker, in the message's own row.

    Above these bits is how often it was marked since, as the generation of a row of the outbox.
    """

    HEADER = 1
    EVENT = 2


class BodyRow(NamedTuple):
    """The bytes of a message: in `raw`, or in the spool file of that name."""

    body_id: int
    received_ms: int
    size: int
    raw: bytes | None
    file: str | None


class MessageRow(NamedTuple):
    """A message of one user."""

    user_id: int
    number: int
    header: bytes
    message_id: str
    digest: bytes
    size: int
    body_id: int
    seen: int
    live: int
    waits: int
    silent: int
    alert: str
    reason: str
    sender: str
    recipient: str
    peer: str
    protocol: str


class BoxRow(NamedTuple):
    """What changes of a box: its newest number, live messages that it gained or lost, how many came, their bytes."""

    user_id: int
    last_number: int
    live: int
    kept: int
    stored: int


class Gathered(NamedTuple):
    """A message that is counted in with a storm, whose window is as long as that of the user's rate."""

    user_id: int
    number: int
    header: Header
    window_ms: int


@dataclass(slots=True)
class Writes:
    """All that is to be written for a group of mails, in one transaction. `kept` has the answer for each of them.

    `leaves` are numbers that leave the live set, by user; `views` the users whose views are marked. `rings` are user,
    number and moment of what rang, of users with a rate; `rang_since` from which moment on theirs are remembered, by
    user. `rung` are user and number of what devices are rung for by push. `fresh` is what can be published once all of
    it is on disk.
    """

    kept: list[tuple[Kept, ...]] = field(default_factory=list)
    bodies: list[BodyRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    boxes: list[BoxRow] = field(default_factory=list)
    leaves: dict[int, tuple[int, ...]] = field(default_factory=dict)
    views: list[int] = field(default_factory=list)
    rings: list[tuple[int, int, int]] = field(default_factory=list)
    rang_since: dict[int, int] = field(default_factory=dict)
    gathered: list[Gathered] = field(default_factory=list)
    rung: list[tuple[int, int]] = field(default_factory=list)
    fresh: list[Publication] = field(default_factory=list)
