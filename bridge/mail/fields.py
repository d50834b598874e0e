"""The header section of a message or of a part: where it ends, and the fields that somebody asks for.

Works on the raw bytes of a section, field by field and each once, however long they are and however many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

FIELD_END = re.compile(rb"\n(?![ \t])")
"""The line end behind a field's value: the first that does not fold it."""

MOST_BLANKS = 8_192
"""Bytes above a message's first field in which blank lines are looked for, and read as if they were not there."""

_WHITE = (
    rb"[\n\x0b\x0c\r\x1c-\x1f\x85\xa0]"  # the last two are a line end and a space in Latin-1
    rb"|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8b\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]|\xe3\x80\x80|\xef\xbb\xbf"
)
"""Line ends, and white space but for spaces and tabs: these, before a field, may mean that it is none."""
_SEPARATOR_LINE = rb">?From [^\n]*+\n"  # of an mbox, that some senders leave in
_SEPARATOR = re.compile(_SEPARATOR_LINE)
_SEPARATES = frozenset((b">", b"F"))
_MAY_BE_ABOVE = frozenset(b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f >F\x85\xa0\xc2\xe1\xe2\xe3\xef")
"""What blank lines and separators begin with: above most messages there is neither."""
_ABOVE = re.compile(rb"(?:[ \t]*+(?:" + _WHITE + rb"|(?<![ \t])" + _SEPARATOR_LINE + rb"))*")
_USUAL = re.compile(
    rb"(?:\A|\n)(?:from|sender|reply-to|to|cc|bcc|subject|date|message-id|received|return-path|delivered-to"
    rb"|mime-version|content-type)[ \t]*+:",
    re.IGNORECASE,
)
_SPELLING = rb"[^\x00-\x20:\x7f]++[ \t]*+"
_NAME, _FIELD = re.compile(_SPELLING), re.compile(_SPELLING + rb":")
_END = re.compile(rb"[ \t]*\r?(?:\n|\Z)")
_MOST_FIELDS = 2_000
_LONGEST_SECTION = 512 * 1024
_LONGEST_VALUE = 32 * 1024
_LINE_END = b"\n"[0]
_LONGEST_SPELLING, _MOST_SPELLINGS = 64, 512
_HOP = "received "
"""What a field is called here that is only counted. No name has a blank in it."""

READ = (
    "from sender subject date message-id mime-version content-type content-transfer-encoding content-disposition"
    " content-id reply-to return-path list-id list-post list-unsubscribe mailing-list precedence auto-submitted"
    " x-autoreply x-autorespond x-failed-recipients importance x-priority priority x-msmail-priority"
    " authentication-results"
)
"""The fields that Postbell reads, beside the spam headers that are configured."""


@dataclass(slots=True)  # that it were frozen would cost twice as much, for each part of each mail
class Fields:
    """The fields of one header section that were asked for, which nobody changes; `body` is where its body starts.

    Values are raw and unfolded (RFC 5322 §2.2.3), in the order of the message, at most 32 KiB each. `hops` counts the
    Received fields (RFC 5321 §6.3).
    """

    values: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    body: int = 0
    hops: int = 0

    def first(self, name: str) -> bytes:
        """The first field of that (lower-case) name, stripped; empty when there is none."""
        return self.values.get(name, (b"",))[0]

    def all(self, name: str) -> tuple[bytes, ...]:
        """All fields of that (lower-case) name, topmost first."""
        return self.values.get(name, ())

    def __contains__(self, name: str) -> bool:
        return name in self.values


class FieldReader:
    """Reads those fields of a header section whose names it was made for."""

    def __init__(self, names: str | tuple[str, ...] = READ) -> None:
        wanted = names.split() if isinstance(names, str) else names
        self._wanted = {b"received": _HOP} | {name.encode("ascii", "replace").lower(): name.lower() for name in wanted}
        self._spelled: dict[bytes, str] = {}

    def read_message(self, raw: bytes | mmap) -> Fields:
        """The fields of a whole message, whatever blank lines stand above them; never raises.

        Only what holds a usual field counts as a header section below blank lines: else it is the
        text of a message that has no fields.
        """
        start = beginning(raw)
        found = self.read(raw, start)
        return found if start == 0 or _USUAL.search(raw[start : found.body]) else self.read(raw)

    def read(self, raw: bytes | mmap, start: int = 0, end: int | None = None) -> Fields:
        """The fields of the header section at `start`; never raises, linear in its length.

        A line that is no field ends the section and begins the body, as it does for Postfix; so
        does a section's length of 512 KiB.
        """
        stop = min(len(raw) if end is None else end, start + _LONGEST_SECTION)
        head, begin = self._section(raw, start, stop)
        values: dict[str, tuple[bytes, ...]] = {}
        known, room, hops, number = self._spelled, _MOST_FIELDS, 0, 0
        lines = FIELD_END.split(head)
        for number, line in enumerate(lines):
            spelled, colon, value = line.partition(b":")
            name = known.get(spelled)
            if name is None or not colon:
                name = self._name(spelled) if colon else None
                if name is None and (number or not begin):
                    break
            if name == _HOP:
                hops += 1
            elif name and room:
                room -= 1
                value = value[:_LONGEST_VALUE].strip()
                if _LINE_END in value:
                    value = value.replace(b"\r\n", b"").replace(b"\n", b"")
                values[name] = (*values[name], value) if name in values else (value,)
        else:
            number = len(lines)
        at = start + sum(map(len, lines[:number])) + number
        return Fields(values, _behind_blank(raw, min(at, stop), stop), hops)

    def _section(self, raw: bytes | mmap, start: int, stop: int) -> tuple[bytes, int]:
        """A header section, or more than it: to the first blank line; and where its first field begins."""
        separator = _SEPARATOR.match(raw, start, stop) if raw[start : start + 1] in _SEPARATES else None
        first = separator.end() if separator else start
        colon = raw.find(b":", first, min(first + _LONGEST_SPELLING, stop))
        known = colon > first and raw[first:colon] in self._spelled
        if not known and not _FIELD.match(raw, first, stop):
            return raw[start:first], first - start
        with_return = raw.find(b"\n\r\n", first, stop)
        blank = raw.find(b"\n\n", first, stop if with_return < 0 else with_return + 1)
        blank = with_return if blank < 0 else blank
        return raw[start : stop if blank < 0 else blank + 1], first - start

    def _name(self, spelled: bytes) -> str | None:
        """The name that stands before a colon, in lower case: "" for one that nobody asked for, None for no name.

        As mail repeats its few spellings, the latest hundreds are remembered.
        """
        if _NAME.fullmatch(spelled) is None:
            return None
        name = self._wanted.get(spelled.rstrip(b" \t").lower(), "")
        if len(spelled) <= _LONGEST_SPELLING:
            if len(self._spelled) >= _MOST_SPELLINGS:
                self._spelled.clear()
            self._spelled[spelled] = name
        return name


def _behind_blank(raw: bytes | mmap, at: int, stop: int) -> int:
    """Where the body begins, at the end of a header section: behind the blank line that stands there, if one does."""
    if raw[at : min(at + 2, stop)] == b"\r\n":
        return at + 2
    blank = _END.match(raw, at, stop)
    return blank.end() if blank else at


def beginning(raw: bytes | bytearray | mmap) -> int:
    """Where a message begins: behind the blank lines that mbox files and broken programs leave above its fields.

    Blank is a line of nothing but white space of any kind, in UTF-8 or Latin-1, with whatever line
    end; a byte order mark counts as such, and so does the `From ` line of an mbox. Such lines are
    looked for in the first 8,192 bytes.
    """
    if raw and raw[0] not in _MAY_BE_ABOVE:
        return 0
    above = _ABOVE.match(raw, 0, MOST_BLANKS)
    return above.end() if above else 0
