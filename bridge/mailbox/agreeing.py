"""Who has the last word on whether a mail is seen, from what both sides had last and what each has now. Pure.

For each mail that stands in both is remembered what both agreed on. Whoever differs from that has changed its mind,
and the other follows; there are two values, so of two that differ exactly one has. What was told the mailbox without
an answer is in doubt: until the answer comes, what the mailbox says may be our own words, so ours hold. Thus nothing
that we did ourselves is ever taken for what a person did.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class By(StrEnum):
    """Who made a message seen, where that was no device; no device can have such a name."""

    MAILBOX = "(mailbox)"
    """Somebody read it in the mailbox."""
    GONE = "(gone)"
    """It was deleted, or moved to where nobody follows it."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides had last; `doubt` where the mailbox was told something else, and has not said that it knows."""

    seen: bool
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """What follows: what the message is to become here and what the mailbox is to be told, None where nothing is.

    `agreed` is what is to be remembered, before the mailbox is told.
    """

    agreed: Agreed
    here: bool | None = None
    there: bool | None = None


def compared(known: Agreed, *, here: bool, there: bool | None) -> Compared:
    """What follows for a mail that stands in both; `there` is None where the mailbox was not asked."""
    if known.doubt:
        if there is not None and there == here:
            return Compared(Agreed(here))
        return Compared(known, there=here)
    if there is None or there == known.seen:
        if here == known.seen:
            return Compared(known)
        return Compared(Agreed(known.seen, doubt=True), there=here)
    if here == known.seen:
        return Compared(Agreed(there), here=there)
    return Compared(Agreed(there))


def met(*, here: bool, there: bool, by: str | None) -> Compared:
    """What follows when the two are met for the first time: whoever read it on either side has read it.

    `by` says who made the message seen here, if that is known: a mail that only was moved is as it stands where it was
    moved to.
    """
    if here == there:
        return Compared(Agreed(here))
    if there:
        return Compared(Agreed(seen=True), here=True)
    if by == By.GONE:
        return Compared(Agreed(seen=False), here=False)
    return Compared(Agreed(seen=False, doubt=True), there=True)
