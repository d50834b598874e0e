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

MOST_BLANKS = 1_024
"""Bytes of blank lines above a message's first field that are read as if they were not there."""

_BLANKS = re.compile(rb"[ \t\r\n]*+")
_SEPARATOR = re.compile(rb">?From [^\n]*+\n")  # of an mbox, that some senders leave in
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

    Blank is a line of nothing but white space. Such lines are looked for in the first 1,024 bytes.
    """
    blanks = _BLANKS.match(raw, 0, MOST_BLANKS)
    return raw.rfind(b"\n", 0, blanks.end()) + 1 if blanks else 0


def _section_end(raw: bytes | mmap, start: int, stop: int) -> int:
    separator = _SEPARATOR.match(raw, start, stop)
    first = separator.end() if separator else start
    if not _FIELD.match(raw, first, stop):
        return first
    stray = _STRAY.search(raw, first, stop)
    return stray.end() if stray else stop
