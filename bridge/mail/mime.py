"""The parts of a message, found in one bounded walk over its raw bytes (RFC 2045, RFC 2046).

A part is where its body lies in the raw message; nothing is decoded or copied here (see `content`).
Enclosed messages (`message/rfc822`) are one part and not entered. The walk never raises: whatever is
not proper MIME is the body of the part around it. `raw` may be a memory map, for a spooled message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from bridge.mail import leaf, params, plain
from bridge.mail.fields import FieldReader, Fields

if TYPE_CHECKING:
    from mmap import mmap

    Raw: TypeAlias = bytes | mmap

MOST_PARTS = 500
"""Leaves that one walk finds."""
MOST_HEADER_BYTES = 131_072
"""Bytes of the parts' own header sections that one walk reads; the walk ends with the part that exceeds them."""
DEEPEST = 50
"""Multiparts within one another; a deeper one is a part as it stands."""
_LONGEST_NAME = leaf.LONGEST_NAME
_MOST_LOOKALIKES = 2_000
_NOTHING = (b"",)
_REST_OF_DELIMITER = re.compile(rb"(--)?[ \t]*\r?(?:\n|\Z)")
_READER = FieldReader("content-type content-transfer-encoding content-disposition content-id content-location")
_TEXT, _MESSAGE = params.Parameterized("text/plain"), params.Parameterized("message/rfc822")


@dataclass(slots=True)  # that it were frozen would cost three times as much, for each part of each mail
class Part:
    """One leaf of a message, which nobody changes.

    `index` counts leaves from 0 in the order of the message. `size` is the decoded size in bytes,
    estimated from the encoding. The encoded body is `raw[start:end]`. `within` are the content types
    of the multiparts around it, outermost first; `alternative` is the same number for parts that say
    the same in different forms, 0 for a part that stands alone. The others are those of `leaf.About`: `joins_lines`
    says that lines which end in a space are to be joined without it, `page` that its text is markup, `inline_text` that
    it is text which a mail program would show as part of the message.
    """

    index: int
    size: int
    start: int
    end: int
    content_id: str
    within: tuple[str, ...]
    alternative: int
    content_type: str
    file_name: str
    encoding: str
    charset: str
    disposition: str
    method: str
    smime_type: str
    joins_lines: bool
    page: bool
    inline_text: bool


@dataclass(slots=True)
class _Open:
    """A multipart that the walk is inside of; its next delimiter is searched once and kept."""

    delimiter: bytes
    within: tuple[str, ...]
    alternative: int
    start: int = -1
    end: int = -1
    closing: bool = False
    found: bool = False


@dataclass(slots=True)
class Walk:
    """The parts of a message, and whether the raw bytes ended before its multiparts did. Nobody changes it."""

    parts: tuple[Part, ...]
    unfinished: tuple[str, ...] = ()


def parts(raw: Raw) -> tuple[Part, ...]:
    """The leaves of a message, at most 500 of them, at most 50 levels deep, with 128 KiB of headers. Never raises."""
    return walk(raw).parts


def walk(raw: Raw, *, top: Fields | None = None, kind: params.Parameterized | None = None) -> Walk:
    """The leaves of a message, and the content types of multiparts that `raw` breaks off in.

    `top` are the fields of the message's own header section, and `kind` is its content type, when they are known.
    """
    fields = _READER.read_message(raw) if top is None else top
    limit = len(raw)
    if plain.content(fields):
        start = min(fields.body, limit)
        return Walk((Part(0, limit - start, start, limit, "", (), 0, *leaf.PLAIN),))
    kind = kind if kind and kind.value else _kind(fields)
    if not _holds_parts(kind):
        return Walk((_leaf(raw, fields, kind, limit),))
    walker = _Walker(raw)
    walker.run(fields, kind)
    return Walk(tuple(walker.found), tuple(level.within[-1] for level in walker.stack))


def _kind(fields: Fields, default: params.Parameterized = _TEXT) -> params.Parameterized:
    """The content type, "" where it cannot be read; without the field the default."""
    said = fields.first("content-type")
    return params.media_type(said) if said else default


def _holds_parts(kind: params.Parameterized) -> bool:
    return kind.value.startswith("multipart/") or (not kind.value and "boundary" in kind.raw)


def _leaf(
    raw: Raw, fields: Fields, kind: params.Parameterized, limit: int, *, index: int = 0, level: _Open | None = None
) -> Part:
    """The body behind these fields, in the multipart that it stands in."""
    start = min(fields.body, limit)
    end = _before_line_end(raw, start, limit) if level else limit
    within, alternative = (level.within, level.alternative) if level else ((), 0)
    about = leaf.about(fields, kind)
    size = _decoded_size(end - start, about.encoding)
    return Part(index, size, start, end, _id(fields.values), within, alternative, *about)


class _Walker:
    """Keeps the stack of open multiparts while the delimiters go by."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self.found: list[Part] = []
        self.stack: list[_Open] = []
        self._lookalikes = 0
        self._alternatives = 0
        self._header_room = MOST_HEADER_BYTES

    def run(self, fields: Fields, kind: params.Parameterized) -> None:
        """Walk from the message's own fields on; leaves go to `found`, what was not closed stays in `stack`."""
        limit = len(self._raw)
        while len(self.found) < MOST_PARTS and self._header_room >= 0:
            if not _holds_parts(kind):
                self._leaf(fields, kind, limit)
            elif not self._enter(fields.body, kind):
                self._leaf(fields, kind if len(self.stack) >= DEEPEST else _TEXT, limit)
            position = self._following(fields.body)
            if position is None:
                break
            limit, _ = self._next(position)
            fields = _READER.read(self._raw, position, limit)
            self._header_room -= fields.body - position
            digest = self.stack and self.stack[-1].within[-1] == "multipart/digest"
            kind = _kind(fields, _MESSAGE if digest else _TEXT)

    def _enter(self, body: int, kind: params.Parameterized) -> bool:
        """Go into a multipart; False when it has no parts or is too deep: then it is a leaf."""
        boundary = kind.raw.get("boundary", b"").rstrip()
        if not boundary or len(self.stack) >= DEEPEST:
            return False
        around, alternative = (self.stack[-1].within, self.stack[-1].alternative) if self.stack else ((), 0)
        if kind.value == "multipart/alternative":
            self._alternatives += 1
            alternative = self._alternatives
        self.stack.append(_Open(b"--" + boundary, (*around, kind.value or "multipart/mixed"), alternative))
        _, level = self._next(body)
        if level is self.stack[-1]:
            return True
        self.stack.pop()
        return False

    def _next(self, position: int) -> tuple[int, _Open | None]:
        """Where the next delimiter of any open multipart starts, and whose it is.

        An inner one counts only before the next one of the multiparts around it.
        """
        limit, owner = len(self._raw), None
        for level in self.stack:
            if level.start < position:
                self._search(level, position, limit)
            if level.found:
                limit, owner = level.start, level
        return limit, owner

    def _search(self, level: _Open, position: int, limit: int) -> None:
        """Find the level's next delimiter line; `found` stays False when there is none before `limit`."""
        at = self._raw.find(level.delimiter, position, limit)
        level.found, level.start = False, limit
        while at >= 0 and self._lookalikes < _MOST_LOOKALIKES:
            rest = _REST_OF_DELIMITER.match(self._raw, at + len(level.delimiter))
            if rest and (at == position or self._raw[at - 1 : at] == b"\n"):
                level.found, level.start, level.end = True, at, rest.end()
                level.closing = rest[1] is not None
                return
            self._lookalikes += 1
            at = self._raw.find(level.delimiter, at + 1, limit)

    def _following(self, position: int) -> int | None:
        """Where the next part's header section starts; leaves multiparts that are closed on the way."""
        while True:
            _, owner = self._next(position)
            if owner is None:
                return None
            while self.stack[-1] is not owner:
                self.stack.pop()
            if not owner.closing:
                return owner.end
            self.stack.pop()
            position = owner.end

    def _leaf(self, fields: Fields, kind: params.Parameterized, limit: int) -> None:
        level = self.stack[-1] if self.stack else None
        self.found.append(_leaf(self._raw, fields, kind, limit, index=len(self.found), level=level))


def _id(values: dict[str, tuple[bytes, ...]]) -> str:
    """By what a page may name the part: its Content-ID, else its Content-Location (RFC 2392, RFC 2557)."""
    if "content-id" not in values and "content-location" not in values:
        return ""
    given = values.get("content-id", _NOTHING)[0].strip(b"<> \t") or values.get("content-location", _NOTHING)[0]
    return given[:_LONGEST_NAME].decode("utf-8", "replace").lower()


def _before_line_end(raw: Raw, start: int, end: int) -> int:
    """The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1)."""
    if end > start and raw[end - 1 : end] == b"\n":
        end -= 1
    if end > start and raw[end - 1 : end] == b"\r":
        end -= 1
    return end


def _decoded_size(length: int, encoding: str) -> int:
    if encoding != "base64":
        return length
    lines, rest = divmod(length, 78)  # 76 characters and CRLF a line
    return lines * 57 + rest * 3 // 4
