"""The header section of a message or of a part: where it ends, and the fields that somebody asks for.

Works on raw bytes with patterns that never go back over what they have read, so that one pass at
the speed of the regex engine suffices for any header section, however long its lines and however many.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
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
_ABOVE = re.compile(rb"(?:[ \t]*+(?:" + _WHITE + rb"|(?<![ \t])" + _SEPARATOR_LINE + rb"))*")
_USUAL = re.compile(
    rb"(?:\A|\n)(?:from|sender|reply-to|to|cc|bcc|subject|date|message-id|received|return-path|delivered-to"
    rb"|mime-version|content-type)[ \t]*+:",
    re.IGNORECASE,
)
_NAME = rb"[^\x00-\x20:\x7f]++[ \t]*+:"
_FIELD = re.compile(_NAME)
_STRAY = re.compile(rb"\n(?![ \t]|" + _NAME + rb")")
"""The line end before a line that neither begins nor continues a field."""
_END = re.compile(rb"[ \t]*\r?(?:\n|\Z)")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_MOST_FIELDS = 2_000
_LONGEST_SECTION = 512 * 1024
_LONGEST_VALUE = 32 * 1024

READ = (
    "from sender subject date message-id mime-version content-type content-transfer-encoding content-disposition"
    " content-id reply-to return-path list-id list-post list-unsubscribe mailing-list precedence auto-submitted"
    " x-autoreply x-autorespond x-failed-recipients importance x-priority priority x-msmail-priority"
    " authentication-results"
)
"""The fields that Postbell reads, beside the spam headers that are configured."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one header section that were asked for; `body` is where its body starts.

    Values are raw and unfolded (RFC 5322 §2.2.3), in the order of the message, at most 32 KiB each.
    """

    values: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    body: int = 0

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
        alternatives = b"|".join(re.escape(name.encode("ascii", "replace").lower()) for name in wanted)
        self._begin = re.compile(rb"\n(" + alternatives + rb")[ \t]*+:", re.IGNORECASE)

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
        section = _section_end(raw, start, stop)
        found: dict[str, list[bytes]] = {}
        head = b"\n" + raw[start:section]
        for match in islice(self._begin.finditer(head), _MOST_FIELDS):
            limit = min(match.end() + _LONGEST_VALUE, len(head))
            line_end = FIELD_END.search(head, match.end(), limit)
            value = _FOLD.sub(b"", head[match.end() : line_end.start() if line_end else limit]).strip()
            found.setdefault(match[1].decode("ascii").lower(), []).append(value)
        blank = _END.match(raw, section, stop)
        values = {name: tuple(several) for name, several in found.items()}
        return Fields(values, blank.end() if blank else section)


def beginning(raw: bytes | bytearray | mmap) -> int:
    """Where a message begins: behind the blank lines that mbox files and broken programs leave above its fields.

    Blank is a line of nothing but white space of any kind, in UTF-8 or Latin-1, with whatever line
    end; a byte order mark counts as such, and so does the `From ` line of an mbox. Such lines are
    looked for in the first 8,192 bytes.
    """
    above = _ABOVE.match(raw, 0, MOST_BLANKS)
    return above.end() if above else 0


def _section_end(raw: bytes | mmap, start: int, stop: int) -> int:
    separator = _SEPARATOR.match(raw, start, stop)
    first = separator.end() if separator else start
    if not _FIELD.match(raw, first, stop):
        return first
    stray = _STRAY.search(raw, first, stop)
    return stray.end() if stray else stop
