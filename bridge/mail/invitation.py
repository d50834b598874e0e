"""The event of a calendar invitation as people would say it: title, day, time, how often, place (RFC 5545)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import islice

from bridge.mail import charsets

LONGEST = 65_536
"""Bytes of an invitation that are read."""

_FOLD = re.compile(rb"\r?\n[ \t]")  # senders fold inside characters, so before decoding
_EVENT = re.compile(r"^BEGIN:VEVENT[ \t]*\r?$(.*?)(?:^END:VEVENT|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_MOST_EVENTS = 50
_LINE = re.compile(
    r"^(?:(?P<begin>BEGIN)|(?P<end>END)):(?P<component>[\w-]+)[ \t]*\r?$"
    r"|^(?P<moment>DTSTART|DTEND|RECURRENCE-ID)(?P<zoned>(?:;[^\r\n]*?)?):[ \t]*(?P<at>\d{8}(?:T[\dZz]*)?)[ \t]*\r?$"
    r'|^(?P<name>SUMMARY|LOCATION|DURATION|RRULE)(?:;[\w-]++=(?:"[^"\r\n]*+"|[^";:\r\n]*+))*:(?P<value>[^\r\n]*+)',
    re.MULTILINE | re.IGNORECASE,
)
_ZONE = re.compile(r';TZID=(?:"([^"\r\n]{1,128})"|([^";]{1,128}))', re.IGNORECASE)
_KNOWN_ZONE = re.compile(
    r"\b(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)/[\w/+-]{1,60}\Z"
)
_LONGEST_ZONE = 64
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?", re.IGNORECASE)
_DURATION = re.compile(
    r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?\s*\Z", re.IGNORECASE
)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")
_RULE = re.compile(r"(?:^|;)(FREQ|INTERVAL)=(\w{1,10})", re.IGNORECASE)
_OFTEN = {
    "HOURLY": ("hourly", "hours"),
    "DAILY": ("daily", "days"),
    "WEEKLY": ("weekly", "weeks"),
    "MONTHLY": ("monthly", "months"),
    "YEARLY": ("yearly", "years"),
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def describe(data: bytes, charset: str = "") -> str:
    """`Title, Thu 2025-04-10 11:00–12:00 Europe/Paris, weekly, place`, or "" when there is no event.

    Times are those of the event's own zone, for the sender names it and the reader's is not known. Of several events
    the one is told that recurs, not what differs from it once.
    """
    calendar = charsets.decode(_FOLD.sub(b"", data[:LONGEST]), charset or "utf-8")
    events = [_properties(event[1]) for event in islice(_EVENT.finditer(calendar), _MOST_EVENTS)]
    event = next((event for event in events if "RECURRENCE-ID" not in event), events[0] if events else {})
    said = (_text(event, "SUMMARY"), _when(event), _often(event), _text(event, "LOCATION"))
    return ", ".join(filter(None, said))


def _properties(event: str) -> dict[str, tuple[str, str]]:
    """The properties of an event with their parameters, of each the first; those of its alarms are not its own."""
    found: dict[str, tuple[str, str]] = {}
    within: list[str] = []
    for line in _LINE.finditer(event):
        if line["begin"]:
            within.append(line["component"].upper())
        elif line["end"]:
            if line["component"].upper() in within:
                del within[within.index(line["component"].upper()) :]
        elif not within:
            name = (line["name"] or line["moment"]).upper()
            found.setdefault(name, (line["zoned"] or "", line["value"] or line["at"] or ""))
    return found


def _text(event: dict[str, tuple[str, str]], name: str) -> str:
    """A TEXT value with its escapes undone (RFC 5545 §3.3.11)."""
    value = event.get(name, ("", ""))[1]
    return re.sub(r"\\(.)", lambda match: " " if match[1] in "nN" else match[1], value).strip()


def _when(event: dict[str, tuple[str, str]]) -> str:
    parameters, value = event.get("DTSTART", ("", ""))
    start, timed, utc = _moment(value)
    if start is None:
        return ""
    day = f"{_DAYS[start.weekday()]} {start:%Y-%m-%d}"
    end = _end(event, start)
    if not timed:
        last = end - timedelta(days=1) if end else start  # DTEND is the day after (RFC 5545 §3.6.1)
        return f"{day}–{last:%Y-%m-%d}" if last > start else day
    name = " UTC" if utc else _zone(parameters)
    if end is None or end <= start:
        return f"{day} {start:%H:%M}{name}"
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{day} {start:%H:%M}–{until}{name}"


def _end(event: dict[str, tuple[str, str]], start: datetime) -> datetime | None:
    """When it ends, by its end or by its duration (RFC 5545 §3.8.2.5)."""
    if "DTEND" in event:
        return _moment(event["DTEND"][1])[0]
    lasts = _DURATION.match(event.get("DURATION", ("", ""))[1].strip())
    if lasts is None:
        return None
    span = dict(zip(_UNITS, (int(part or 0) for part in lasts.groups()), strict=True))
    try:
        return start + timedelta(**span)
    except OverflowError:
        return None


def _zone(parameters: str) -> str:
    """The zone as its own name says it, of those with a registry before it only the place."""
    zone = _ZONE.search(parameters)
    if zone is None:
        return ""
    name = (zone[1] or zone[2]).strip().strip("/")
    place = _KNOWN_ZONE.search(name)
    return f" {place[0] if place else name[:_LONGEST_ZONE]}"


def _often(event: dict[str, tuple[str, str]]) -> str:
    """How often it recurs, in a word: `weekly`, `every 2 weeks`; "" for what happens once."""
    rule = {name.upper(): value.upper() for name, value in _RULE.findall(event.get("RRULE", ("", ""))[1])}
    once, many = _OFTEN.get(rule.get("FREQ", ""), ("", ""))
    interval = rule.get("INTERVAL", "1")
    return f"every {interval} {many}" if once and interval.isdecimal() and int(interval) > 1 else once


def _moment(value: str) -> tuple[datetime | None, bool, bool]:
    """A DATE or DATE-TIME, whether it has a time, whether it is UTC."""
    match = _MOMENT.match(value.strip())
    if match is None:
        return None, False, False
    numbers = [int(part or 0) for part in match.groups()[:6]]
    try:
        return datetime(*numbers, tzinfo=UTC), match[4] is not None, bool(match[7])  # type: ignore[misc,arg-type]
    except ValueError:
        return None, False, False
