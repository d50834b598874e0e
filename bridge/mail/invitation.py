"""The event of a calendar invitation as people would say it: title, day, time, place (RFC 5545)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from bridge.mail import charsets

LONGEST = 65_536
"""Bytes of an invitation that are read."""

_FOLD = re.compile(rb"\r?\n[ \t]")  # senders fold inside characters, so before decoding
_EVENT = re.compile(r"^BEGIN:VEVENT[ \t]*\r?$(.*?)(?:^END:VEVENT|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_PROPERTY = re.compile(
    r'^(SUMMARY|DTSTART|DTEND|LOCATION)((?:;[\w-]++=(?:"[^"\r\n]*+"|[^";:\r\n]*+))*):([^\r\n]*+)',
    re.MULTILINE | re.IGNORECASE,
)
_ZONE = re.compile(r';TZID="?/?([^";:]{1,64})', re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def describe(data: bytes, charset: str = "") -> str:
    """`Title, Thu 2025-04-10 11:00–12:00 Europe/Paris, place`, or "" when there is no event.

    Times are those of the event's own zone, for the sender names it and the reader's is not known.
    """
    calendar = charsets.decode(_FOLD.sub(b"", data[:LONGEST]), charset or "utf-8")
    event = _EVENT.search(calendar)
    if event is None:
        return ""
    found: dict[str, tuple[str, str]] = {}
    for match in _PROPERTY.finditer(event[1]):
        found.setdefault(match[1].upper(), (match[2], match[3]))
    said = (_text(found, "SUMMARY"), _when(found), _text(found, "LOCATION"))
    return ", ".join(filter(None, said))


def _text(found: dict[str, tuple[str, str]], name: str) -> str:
    """A TEXT value with its escapes undone (RFC 5545 §3.3.11)."""
    value = found.get(name, ("", ""))[1]
    return re.sub(r"\\(.)", lambda match: " " if match[1] in "nN" else match[1], value).strip()


def _when(found: dict[str, tuple[str, str]]) -> str:
    parameters, value = found.get("DTSTART", ("", ""))
    start, timed, utc = _moment(value)
    if start is None:
        return ""
    day = f"{_DAYS[start.weekday()]} {start:%Y-%m-%d}"
    end, _, _ = _moment(found.get("DTEND", ("", ""))[1])
    if not timed:
        last = end - timedelta(days=1) if end else start  # DTEND is the day after (RFC 5545 §3.6.1)
        return f"{day}–{last:%Y-%m-%d}" if last > start else day
    zone = _ZONE.search(parameters)
    name = " UTC" if utc else f" {zone[1]}" if zone else ""
    if end is None or end <= start:
        return f"{day} {start:%H:%M}{name}"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{day} {start:%H:%M}–{until}{name}"


def _moment(value: str) -> tuple[datetime | None, bool, bool]:
    """A DATE or DATE-TIME, whether it has a time, whether it is UTC."""
    match = _MOMENT.match(value.strip())
    if match is None:
        return None, False, False
    numbers = [int(part or 0) for part in match.groups()[:6]]
    try:
        return datetime(*numbers, tzinfo=UTC), match[4] is not None, match[7] == "Z"  # type: ignore[misc,arg-type]
    except ValueError:
        return None, False, False
