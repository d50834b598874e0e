"""What a unit of work is given: boxes as they were loaded, and the mails that come. Frozen values, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.rules.spam import SpamAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.model import Envelope, Header


@dataclass(frozen=True, slots=True)
class Terms:
    """How messages are kept: bytes of a header payload at most, and what becomes of marked spam."""

    payload_limit: int
    spam: SpamAction = SpamAction.MARK


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to be kept for each user that it is for.

    `header` is without a detail and with the sender's date; what differs between users is filled in for each.
    `message_id` is the Message-ID field (RFC 5322 §3.6.4), empty where there is none, `list_id` is for the rules.
    """

    envelope: Envelope
    header: Header
    message_id: str
    list_id: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A user's box before a unit of work.

    `last_number` is the newest number ever given, `live` how many messages are live and `oldest` those of them that
    may leave, ascending (`live_set.may_leave`, and whatever is too old). `rules` is their document, None without any;
    `rang_ms` says when messages rang of late, for a user with a rate. `payload` is how long a header the user's devices
    take, if less than usual; `rung` whether any is rung by push; `cell` is the broker where the user is.
    """

    user_id: int
    name: str
    views: frozenset[str]
    last_number: int = 0
    live: int = 0
    oldest: tuple[int, ...] = ()
    rules: str | None = None
    rang_ms: tuple[int, ...] = ()
    payload: int | None = None
    rung: bool = False
    cell: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that the mails of a unit of work are held against.

    `boxes` are those of their users, by id; a user who is gone has none. `copies` are the newest numbers of messages of
    the last day by user, Message-ID and digest. `next_body` is the number of the next body.
    """

    boxes: Mapping[int, Box]
    copies: Mapping[tuple[int, str, bytes], int] = field(default_factory=dict)
    next_body: int = 1
