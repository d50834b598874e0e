"""Which message of a box a mail in a folder is: by Message-ID, and where that says nothing by size and time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import ids

if TYPE_CHECKING:
    from collections.abc import Iterable

TRACE_BYTES = 2_048
"""By so many bytes two copies of a mail may differ: each hop adds its trace fields."""
NEAR_MS = 600_000
"""So far apart the two may have come, where nothing but size and time speaks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A mail as it was found in a folder: whether it is seen, when the server got it, in Unix milliseconds.

    `message_id` is the field as sent, empty where there is none.
    """

    uid: int
    seen: bool
    message_id: str
    size: int
    arrived_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message of the box for which nothing in this folder stands yet, and that is not kept from devices by a rule.

    `by` says on which device, or how else, it was seen, if it was and that is known.
    """

    number: int
    message_id: str
    size: int
    seen: bool
    by: str | None


def match(mail: Sighting, candidates: Iterable[Candidate]) -> Candidate | None:
    """The message that a mail is, or None.

    Of several with its Message-ID the one nearest in size, then in time. Without a Message-ID there has to be exactly
    one message without one that is near in both.
    """

    def distance(candidate: Candidate) -> tuple[int, int]:
        return abs(candidate.size - mail.size), abs(ids.received_ms(candidate.number) - mail.arrived_ms)

    same = [candidate for candidate in candidates if candidate.message_id == mail.message_id]
    if mail.message_id:
        return min(same, key=distance, default=None)
    near = [
        candidate for candidate in same if distance(candidate)[0] <= TRACE_BYTES and distance(candidate)[1] <= NEAR_MS
    ]
    return near[0] if len(near) == 1 else None
