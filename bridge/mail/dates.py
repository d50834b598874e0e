"""The sender's Date as epoch seconds, when it is one and sane."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from bridge.mail import plain

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_S = 0
_LONGEST = 128
_OFFSET = re.compile(r"\s?\b(?:GMT|UTC?)\s?([+-])(\d{1,2}):?(\d\d)?(?!\d)", re.IGNORECASE)
"""A zone as scripts write it: GMT and how far it is from it."""
_HOUR_24 = re.compile(r"[\dW-]{7,10}[^\d-]24")
"""The end of a day in ISO 8601: not in RFC 3339, and read by Python from 3.14 on alone."""


def epoch(raw: bytes) -> int | None:
    """Epoch seconds of a Date field (RFC 5322 §3.3 and §4.3, asctime, ISO 8601), else None.

    Sane is 1970 to 2099; anything else, impossible days included, is None. A zone that nobody
    knows counts as UTC, as RFC 5322 §4.3 wants it.
    """
    if not raw:
        return None
    if (simple := plain.moment(raw)) is not None:
        return simple
    moment = _moment(_OFFSET.sub(_zone, raw[:_LONGEST].decode("ascii", "replace").strip()))
    if moment is None:
        return None
    epoch_s = int((moment - _EPOCH).total_seconds())
    return epoch_s if _EARLIEST_S <= epoch_s < plain.LATEST_S else None


def _moment(value: str) -> datetime | None:
    return _iso(value) or _internet(value)


def _zone(offset: re.Match[str]) -> str:
    return f" {offset[1]}{offset[2]:0>2}{offset[3] or '00'}"


def _iso(value: str) -> datetime | None:
    if _HOUR_24.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _internet(value: str) -> datetime | None:
    try:
        parsed = parsedate_tz(value)
        if parsed is None:
            return None
        year, month, day, hour, minute, second = parsed[:6]
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        return moment - timedelta(seconds=parsed[9] or 0)
    except (ValueError, IndexError, OverflowError):
        return None  # IndexError: parsedate_tz on dates of which only the zone is left
