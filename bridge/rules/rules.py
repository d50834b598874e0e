"""What rings and how: one user's rules, and what they make of one message. Pure.

Rules never lose a message. They decide whether it rings or is silent, and how much of it is told;
every message is kept, and is in the live set (docs/decisions/0010-rules-and-the-silent-flag.md).
The one exception is the operator's: spam that is to be suppressed is kept as if it were seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bridge.directory import normalise
from bridge.errors import ConfigurationError, MalformedAddressError
from bridge.model import Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.model import Header

MOST_PATTERNS = 1000
MOST_RINGS = 1000
LONGEST_WINDOW_S = 86_400
HIDDEN = "…"
"""What stands for a subject that is not told: it was cut to nothing (docs/protocol.md, "Header")."""

_LIST_ID = re.compile(r"[!-;=?A-~]{1,200}\.[!-;=?A-~]{1,54}")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_RATE = re.compile(r"(\d{1,4})\s*/\s*(\d{1,5})\s*([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAY = 24 * 60


class RulesError(ConfigurationError):
    """Rules that cannot be read or set; the text names the rule, its value and the cure."""


class Hide(StrEnum):
    """How much of a mail is not told to devices; `subject` hides the snippet, too."""

    NOTHING = "nothing"
    SNIPPET = "snippet"
    SUBJECT = "subject"


class SpamAction(StrEnum):
    """What becomes of mail that the operator's spam filter marked; the operator's choice, for all users."""

    MARK = "mark"
    SUPPRESS = "suppress"
    DELIVER = "deliver"


class Alert(StrEnum):
    """What was decided for one message, and which rule decided it."""

    RING = "ring"
    VIP = "vip"
    UNRULED = "unruled"
    """It rings because the user's rules cannot be read."""
    MUTED = "muted"
    QUIET = "quiet"
    STORM = "storm"
    SPAM = "spam"
    SUPPRESSED = "suppressed"
    """Spam that is kept as if it were seen already."""

    @property
    def silent(self) -> bool:
        """Whether devices show the message without ringing."""
        return self not in {Alert.RING, Alert.VIP, Alert.UNRULED}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `rings` rings in any `window_ms` milliseconds."""

    rings: int
    window_ms: int


# --- values, each in one canonical spelling -------------------------------------------------------


def _pattern(text: str) -> str:
    """An address, `@domain` or a list id (RFC 2919 §3), in lower case."""
    plain = text.strip()
    if plain.startswith("<") and plain.endswith(">"):
        plain = plain[1:-1]
    if "@" in plain:
        try:
            return normalise(plain).casefold()
        except MalformedAddressError as error:
            raise ValueError("write an address, @domain or the id of a mailing list") from error
    if not _LIST_ID.fullmatch(plain):
        raise ValueError("write an address, @domain or the id of a mailing list, as in its List-Id field")
    return plain.lower()


def _minutes(span: str) -> tuple[int, int]:
    """Start and end of a span in minutes of the day; the end may be 24:00."""
    match = _SPAN.fullmatch(span.strip())
    if match is None:
        raise ValueError("write it as 22:00-07:00")
    hour, minute, last_hour, last_minute = map(int, match.groups())
    start, end = hour * 60 + minute, last_hour * 60 + last_minute
    if max(minute, last_minute) > 59 or start >= _DAY or end > _DAY:
        raise ValueError("hours are 00:00 to 24:00")
    if start == end:
        raise ValueError("it has no length; for the whole day write 00:00-24:00")
    return start, end


def _span(text: str) -> str:
    start, end = _minutes(text)
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def _limit(rate: str) -> Rate:
    match = _RATE.fullmatch(rate.strip())
    if match is None:
        raise ValueError("write it as 20/10m: so many rings in so many s, m or h")
    rings, seconds = int(match[1]), int(match[2]) * _SECONDS[match[3]]
    if not (1 <= rings <= MOST_RINGS and 1 <= seconds <= LONGEST_WINDOW_S):
        raise ValueError(f"use 1 to {MOST_RINGS} rings in at most a day")
    return Rate(rings, seconds * 1000)


def _rate(text: str) -> str:
    if not text:
        return ""
    _limit(text)
    return re.sub(r"\s", "", text)


def _zone(text: str) -> str:
    if text:
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a directory, "Europe"
            raise ValueError("this system knows no such time zone; write it as Europe/Berlin") from error
    return text


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(_pattern)], ...], Field(max_length=MOST_PATTERNS), AfterValidator(_sorted)
]
Spans = Annotated[tuple[Annotated[str, AfterValidator(_span)], ...], Field(max_length=50), AfterValidator(_sorted)]


# --- the rules ------------------------------------------------------------------------------------


class Rules(BaseModel):
    """One user's rules. As JSON they are the document that the store keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mute: Patterns = ()
    vip: Patterns = ()
    quiet: Spans = ()
    zone: Annotated[str, AfterValidator(_zone)] = ""
    hide: Hide = Hide.NOTHING
    rate: Annotated[str, AfterValidator(_rate)] = ""

    @model_validator(mode="after")
    def _knows_when(self) -> Self:
        if self.quiet and not self.zone:
            raise ValueError("quiet hours need a time zone: --zone Europe/Berlin")
        return self

    @property
    def limit(self) -> Rate | None:
        """The rate, if there is one."""
        return _limit(self.rate) if self.rate else None


SAFEST = Rules(hide=Hide.SUBJECT)
"""For a user whose rules cannot be read: rather a ring too many and a word too few."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the command line asks for: additions and removals in any spelling, None leaves as it is."""

    mute: tuple[str, ...] = ()
    remove_mute: tuple[str, ...] = ()
    vip: tuple[str, ...] = ()
    remove_vip: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    remove_quiet: tuple[str, ...] = ()
    zone: str | None = None
    hide: str | None = None
    rate: str | None = None


@lru_cache(maxsize=1024)
def parse(document: str) -> Rules:
    """The rules in a document of the store; raises RulesError. Cached: it is read again for each message."""
    try:
        return Rules.model_validate_json(document)
    except ValidationError as error:
        raise RulesError(f"the rules cannot be read: {_explain(error)}") from error


def changed(rules: Rules, change: Change) -> Rules:
    """The rules after a change; raises RulesError. To add twice is no error, to remove what is not there is one."""
    values = rules.model_dump()
    try:
        for kind, canonical, added, removed in (
            ("mute", _pattern, change.mute, change.remove_mute),
            ("vip", _pattern, change.vip, change.remove_vip),
            ("quiet", _span, change.quiet, change.remove_quiet),
        ):
            unwanted = {_canonical(kind, text, canonical) for text in removed}
            for text in sorted(unwanted.difference(values[kind])):
                raise RulesError(f"{kind}: there is no {text!r} to remove")
            values[kind] = (*(value for value in values[kind] if value not in unwanted), *added)
        for key in ("zone", "hide", "rate"):
            if getattr(change, key) is not None:
                values[key] = getattr(change, key)
        return Rules.model_validate(values)
    except ValidationError as error:
        raise RulesError(_explain(error)) from error


def _canonical(kind: str, text: str, canonical: Callable[[str], str]) -> str:
    try:
        return canonical(text)
    except ValueError as error:
        raise RulesError(f"{kind} = {text!r}: {error}") from error


def _explain(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    cure = problem["msg"].removeprefix("Value error, ")
    return f"{problem['loc'][0]} = {problem['input']!r}: {cure}" if problem["loc"] else cure


# --- what they make of a message ------------------------------------------------------------------


def judge(rules: Rules, header: Header, *, list_id: str, now_ms: int, rings: int, spam: SpamAction) -> Alert:
    """Whether a message rings, and why (or why not).

    `list_id` is that of its List-Id field, `rings` how many messages rang within the rate's window
    before `now_ms` (VIPs are not counted). The filter's verdict comes first, since whom a mail is
    from is easily forged; then VIPs beat muting, quiet hours and rate. Urgency beats nothing: it is
    the sender's opinion.
    """
    if header.flags & Flag.SUSPICIOUS and spam is not SpamAction.DELIVER:
        return Alert.SUPPRESSED if spam is SpamAction.SUPPRESS else Alert.SPAM
    names = _names(header.from_address, list_id)
    if not names.isdisjoint(rules.vip):
        return Alert.VIP
    if not names.isdisjoint(rules.mute):
        return Alert.MUTED
    if rules.quiet and _is_quiet(rules, now_ms):
        return Alert.QUIET
    limit = rules.limit
    return Alert.STORM if limit is not None and rings >= limit.rings else Alert.RING


def present(rules: Rules, header: Header, alert: Alert) -> Header:
    """The header as devices get it: flagged when it is silent, without what the user hides."""
    if alert.silent:
        header = replace(header, flags=header.flags | Flag.SILENT)
    if rules.hide is not Hide.NOTHING:
        header = replace(header, snippet="")
    if rules.hide is Hide.SUBJECT:
        header = replace(header, subject=HIDDEN)
    return header


def _names(from_address: str, list_id: str) -> set[str]:
    """The patterns that match a message; a sender's address need not be a valid one."""
    try:
        address = normalise(from_address).casefold()
    except MalformedAddressError:
        address = from_address.casefold()
    domain = address.rpartition("@")[2]
    return {address, f"@{domain}", list_id.lower()}


def _is_quiet(rules: Rules, now_ms: int) -> bool:
    """Whether the clock on the user's wall is within a quiet span; of an hour that comes twice both are."""
    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(rules.zone))
    minute = local.hour * 60 + local.minute
    return any(_within(minute, *_minutes(span)) for span in rules.quiet)


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end
