"""What a server's responses mean, as values (RFC 9051 §7). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from bridge.imap import values
from bridge.imap.errors import ImapSyntaxError

if TYPE_CHECKING:
    from bridge.imap.lines import Response
    from bridge.imap.values import Value

_STATUS = re.compile(
    rb"(?P<tag>\S+) (?P<condition>OK|NO|BAD|BYE|PREAUTH)(?: \[(?P<code>[^\]]{0,4096})\])? ?(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERED = re.compile(rb"\* (\d{1,10}) ([A-Za-z]+)")
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_FLAGS = re.compile(  # what a look mostly gets: read in one go it costs a sixth
    rb"\* (\d{1,10}) FETCH \((?:UID (\d{1,10}) )?FLAGS \(([^()\"{}\[\]]*)\)"
    rb"(?: UID (\d{1,10}))?(?: MODSEQ \(\d{1,19}\))?\)",
    re.IGNORECASE,
)
_MODSEQ = re.compile(rb"[( ]MODSEQ \((\d{1,19})\)", re.IGNORECASE)
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ImapStatus:
    """How something went: `tag` is `*` where nothing had been asked. `code` is a response code with what it says."""

    tag: str
    condition: str
    code: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchItems:
    """What a FETCH response says of a mail; None where it does not say. `flags` are in lower case."""

    sequence: int
    uid: int | None = None
    flags: frozenset[str] | None = None
    size: int | None = None
    arrived_ms: int | None = None
    text: bytes | None = None

    @property
    def seen(self) -> bool | None:
        r"""Whether nobody has to read it any more: somebody did, or it is marked to be deleted (\Seen, \Deleted)."""
        return None if self.flags is None else not self.flags.isdisjoint({"\\seen", "\\deleted"})


def status(response: Response) -> ImapStatus | None:
    """The response as OK, NO, BAD, BYE or PREAUTH; None when it is none of these."""
    found = _STATUS.fullmatch(response.texts[0])
    if found is None:
        return None
    code = tuple((found["code"] or b"").decode("ascii", "replace").split())
    return ImapStatus(
        found["tag"].decode("ascii", "replace"),
        found["condition"].upper().decode(),
        (code[0].upper(), *code[1:]) if code else (),
        found["text"][:200].decode("utf-8", "replace"),
    )


def kind(response: Response) -> str:
    """The word that says what an untagged response is, in capitals; empty for what is none."""
    numbered = _NUMBERED.match(response.texts[0])
    if numbered is not None:
        return numbered[2].upper().decode()
    words = response.texts[0][:64].split(None, 2)
    return words[1].upper().decode("ascii", "replace") if words[:1] == [b"*"] and len(words) > 1 else ""


def counted(response: Response) -> int:
    """The number in `* 23 EXISTS` and its like."""
    numbered = _NUMBERED.match(response.texts[0])
    return 0 if numbered is None else int(numbered[1])


def number(value: Value) -> int:
    """A number of RFC 9051 §9; raises ImapSyntaxError."""
    if isinstance(value, bytes) and value.isdigit() and len(value) < 20 and int(value) <= LARGEST_NUMBER:
        return int(value)
    raise ImapSyntaxError("the server sent something else than a number")


def fetched(response: Response) -> FetchItems:
    """What `* 1 FETCH (…)` says; raises ImapSyntaxError."""
    if (short := _FLAGS.fullmatch(response.texts[0])) is not None:
        sequence, before, said, behind = short.groups()
        uid = behind or before
        return FetchItems(
            sequence=int(sequence),
            uid=None if uid is None else int(uid),
            flags=frozenset(said.decode("ascii", "replace").lower().split()),
        )
    return _fetched(response)


def _fetched(response: Response) -> FetchItems:
    read = values.read(response)
    items = read[3] if len(read) > 3 else None
    if not isinstance(items, list) or len(items) % 2:
        raise ImapSyntaxError("the server sent a FETCH response that is none")
    uid = size = arrived_ms = flags = text = None
    for name, value in zip(items[::2], items[1::2], strict=True):
        item = name.upper() if isinstance(name, bytes) else b""
        if item == b"UID":
            uid = number(value)
        elif item == b"RFC822.SIZE":
            size = number(value)
        elif item == b"INTERNALDATE":
            arrived_ms = moment_ms(value)
        elif item == b"FLAGS" and isinstance(value, list):
            flags = frozenset(flag.decode("ascii", "replace").lower() for flag in value if isinstance(flag, bytes))
        elif item.startswith(b"BODY["):
            text = value if isinstance(value, bytes) else b""
    return FetchItems(sequence=counted(response), uid=uid, flags=flags, size=size, arrived_ms=arrived_ms, text=text)


def modseq(response: Response) -> int:
    """The MODSEQ that a FETCH response says (RFC 7162 §3.1.4.2); 0 where it says none."""
    for text in response.texts:
        if (found := _MODSEQ.search(text)) is not None and int(found[1]) <= LARGEST_NUMBER:
            return int(found[1])
    return 0


def vanished(response: Response) -> list[tuple[int, int]]:
    """The UIDs of `* VANISHED (EARLIER) 3:5,9` as ranges, both ends included (RFC 7162 §3.2.10); ImapSyntaxError."""
    found = []
    for part in response.texts[0].split()[-1].split(b","):
        first, _, last = part.partition(b":")
        ends = number(first), number(last or first)
        found.append((min(ends), max(ends)))
    return found


def moment_ms(value: Value) -> int:
    """An INTERNALDATE in Unix milliseconds; 0 for what is none."""
    found = _DATE.fullmatch(value) if isinstance(value, bytes) else None
    if found is None or found[2].lower() not in _MONTHS:
        return 0
    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
    try:
        zone = timezone(offset if found[7] == b"+" else -offset)
        when = datetime(year, _MONTHS.index(found[2].lower()) + 1, day, hour, minute, min(second, 59), tzinfo=zone)
        return max(0, int(when.timestamp() * 1000))
    except (ValueError, OverflowError):
        return 0


def day_of(moment: int) -> str:
    """The day of a moment in Unix milliseconds, as SEARCH wants it (RFC 9051 §9, date)."""
    when = datetime.fromtimestamp(max(0, moment) / 1000, UTC)
    return f"{when.day}-{_MONTHS[when.month - 1].decode().title()}-{when.year}"


def uids_of(uids: list[int]) -> str:
    """A set of UIDs, ascending, as short as it can be said (RFC 9051 §9, sequence-set)."""
    parts: list[str] = []
    start = previous = None
    for uid in [*uids, None]:
        if previous is not None and uid == previous + 1:
            previous = uid
            continue
        if start is not None:
            parts.append(str(start) if start == previous else f"{start}:{previous}")
        start = previous = uid
    return ",".join(parts)
