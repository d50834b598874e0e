"""What an answer of a push service means, and when to try again. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

LONGEST_WAIT_S: Final = 3600.0
"""No wait is longer, whatever a push service asks for: its clock may be wrong, and so may it."""
FIRST_WAIT_S: Final = 1.0
LATER: Final = frozenset({429, 503, 507})
"""Too many; not now; and ntfy's: nobody is there to take it yet."""
_TROUBLES: Final = {
    301: "it points elsewhere, and that is not followed",
    401: "it does not take the signature (VAPID)",
    403: "it does not take the signature (VAPID)",
    429: "too many",
    503: "not now",
    507: "nobody is there to take it yet",
}
_WORD = re.compile(r"[A-Za-z][A-Za-z _-]{2,40}")


class Meaning(Enum):
    """What has to be done."""

    DONE = 1
    AGAIN = 2
    SHORTER = 3
    """The same with less in it."""
    GONE = 4
    """The subscription is no more."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a push service answered: `after` and `date` are the fields Retry-After and Date, "" without.

    `said` is the beginning of its body.
    """

    status: int
    after: str = ""
    date: str = ""
    said: str = ""


def meaning(answer: ServiceAnswer) -> Meaning:
    """What an answer means."""
    if 200 <= answer.status < 300:
        return Meaning.DONE
    if answer.status in {404, 410}:  # RFC 8030 §7.3, and what services do
        return Meaning.GONE
    return Meaning.SHORTER if answer.status == 413 else Meaning.AGAIN


def trouble(answer: ServiceAnswer) -> str:
    """Why it was not taken, in a few words: the status, and what is known of it or, of a signature, was said."""
    known = _TROUBLES.get(301 if 300 <= answer.status < 400 else answer.status, "")
    words = _WORD.findall(answer.said) if answer.status in {400, 401, 403} else []
    told = ", ".join(filter(None, (known, " ".join(word for word in words[-1:]))))
    return f"{answer.status}: {told}" if told else str(answer.status)


def wait_s(answer: ServiceAnswer | None, *, failures: int, jitter: float, now_s: float) -> float:
    """Seconds until the next try, when so many failed in a row before; None is no answer.

    What a push service asks for holds, within an hour. Else the waits double, and `jitter`, a number from [0, 1),
    spreads each over the upper half of its range.
    """
    asked = None if answer is None or answer.status not in LATER else after_s(answer.after, now_s=now_s)
    if asked is not None:
        return min(max(asked, FIRST_WAIT_S), LONGEST_WAIT_S) + jitter
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures, 16)) * (0.5 + jitter / 2)


def after_s(field: str, *, now_s: float) -> float | None:
    """Seconds that a field Retry-After names (RFC 9110 §10.2.3), as a number or a date; None when it says nothing."""
    if field.isdecimal() and field.isascii():
        return float(field[:9])
    moment = _moment_s(field)
    return None if moment is None else max(0.0, moment - now_s)


def skew_s(answer: ServiceAnswer, *, now_s: float) -> int | None:
    """How far the push service's clock is ahead of ours (RFC 9110 §6.6.1); None when it does not say."""
    moment = _moment_s(answer.date)
    return None if moment is None else round(moment - now_s)


def _moment_s(field: str) -> float | None:
    try:
        moment = parsedate_to_datetime(field)
    except (ValueError, TypeError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
