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
_REST_OF_DELIMITER = re.compile(rb"(--)?[ \t]*\r?(?:\n|\Z)")
_READER = FieldReader("content-type content-transfer-encoding content-disposition content-id content-location")
_TEXT = params.Parameterized("text/plain")
_PAGES = {"text/html", "application/xhtml+xml", "text/enriched", "text/richtext"}
_NOT_READ = {"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/css", "text/javascript", "text/rtf"}
_NOT_READ |= {"text/rfc822-headers", "text/x-moz-deleted", "text/x-amp-html", "text/watch-html"}
"""What is text to programs, and what says only what another part says as well."""


@dataclass(slots=True)  # that it were frozen would cost three times as much, for each part of each mail
class Part:
    """One leaf of a message, which nobody changes.

    `index` counts leaves from 0 in the order of the message. `size` is the decoded size in bytes,
    estimated from the encoding. The encoded body is `raw[start:end]`. `within` are the content types
    of the multiparts around it, outermost first; `alternative` is the same number for parts that say
    the same in different forms, 0 for a part that stands alone. `joins_lines` says that lines which end in a space
    are to be joined without it.
    """

    index: int
    content_type: str
    file_name: str
    size: int
    encoding: str
    start: int
    end: int
    charset: str = ""
    disposition: str = ""
    content_id: str = ""
    method: str = ""
    smime_type: str = ""
    joins_lines: bool = False
    within: tuple[str, ...] = ()
    alternative: int = 0

    @property
    def inline_text(self) -> bool:
        """Whether it is text that a mail program would show as part of the message: of any kind that is no file."""
        if self.disposition == "attachment":
            return False
        if self.content_type in {"text/plain", "text/html"}:
            return True
        text = self.page or (self.content_type.startswith("text/") and self.content_type not in _NOT_READ)
        return text and not self.file_name

    @property
    def page(self) -> bool:
        """Whether its text is markup."""
        return self.content_type in _PAGES


@dataclass(slots=True)
class _Open:
    """A multipart that the walk is inside of; its next delimiter is searched once and kept."""

    delimiter: bytes
    content_type: str
    alternative: int
    start: int = -1
    end: int = -1
    closing: bool = False
    found: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """The parts of a message, and whether the raw bytes ended before its multiparts did."""

    parts: tuple[Part, ...]
    unfinished: tuple[str, ...]


def parts(raw: Raw) -> tuple[Part, ...]:
    """The leaves of a message, at most 500 of them, at most 50 levels deep, with 128 KiB of headers. Never raises."""
    return walk(raw).parts


def walk(raw: Raw, *, top: Fields | None = None, kind: params.Parameterized | None = None) -> Walk:
    """The leaves of a message, and the content types of multiparts that `raw` breaks off in.

    `top` are the fields of the message's own header section, and `kind` is its content type, when they are known.
    """
    fields = _READER.read_message(raw) if top is None else top
    if plain.content(fields):
        return Walk((_whole(raw, fields.body),), ())
    walker = _Walker(raw)
    walker.run(fields, kind if kind and kind.value else None)
    return Walk(tuple(walker.found), tuple(level.content_type for level in walker.stack))


def _whole(raw: Raw, body: int) -> Part:
    """The body of a message that says nothing of it."""
    end = len(raw)
    start = min(body, end)
    return Part(index=0, content_type=_TEXT.value, file_name="", size=end - start, encoding="", start=start, end=end)


class _Walker:
    """Keeps the stack of open multiparts while the delimiters go by."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self.found: list[Part] = []
        self.stack: list[_Open] = []
        self._lookalikes = 0
        self._alternatives = 0
        self._header_room = MOST_HEADER_BYTES

    def run(self, fields: Fields, known: params.Parameterized | None = None) -> None:
        """Walk from the message's own fields on; leaves go to `found`, what was not closed stays in `stack`."""
        limit = len(self._raw)
        while len(self.found) < MOST_PARTS and self._header_room >= 0:
            kind = known or self._kind(fields)
            known = None
            if not kind.value.startswith("multipart/") and not (not kind.value and "boundary" in kind.raw):
                self._leaf(fields, kind, limit)
            elif not self._enter(fields.body, kind):
                self._leaf(fields, kind if len(self.stack) >= DEEPEST else _TEXT, limit)
            position = self._following(fields.body)
            if position is None:
                break
            limit, _ = self._next(position)
            fields = _READER.read(self._raw, position, limit)
            self._header_room -= fields.body - position

    def _kind(self, fields: Fields) -> params.Parameterized:
        """The content type, "" where it cannot be read; without the field the default."""
        if fields.first("content-type"):
            return params.media_type(fields.first("content-type"))
        if self.stack and self.stack[-1].content_type == "multipart/digest":
            return params.Parameterized("message/rfc822")
        return _TEXT

    def _enter(self, body: int, kind: params.Parameterized) -> bool:
        """Go into a multipart; False when it has no parts or is too deep: then it is a leaf."""
        boundary = kind.raw.get("boundary", b"").rstrip()
        if not boundary or len(self.stack) >= DEEPEST:
            return False
        alternative = self.stack[-1].alternative if self.stack else 0
        if kind.value == "multipart/alternative":
            self._alternatives += 1
            alternative = self._alternatives
        self.stack.append(_Open(b"--" + boundary, kind.value or "multipart/mixed", alternative))
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
        start = min(fields.body, limit)
        end = _before_line_end(self._raw, start, limit) if self.stack else limit
        encoding, about = leaf.about(fields, kind)
        self.found.append(
            Part(
                index=len(self.found),
                size=_decoded_size(end - start, encoding),
                start=start,
                end=end,
                content_id=_id(fields),
                within=tuple(level.content_type for level in self.stack),
                alternative=self.stack[-1].alternative if self.stack else 0,
                **about,
            )
        )


def _id(fields: Fields) -> str:
    """By what a page may name the part: its Content-ID, else its Content-Location (RFC 2392, RFC 2557)."""
    given = fields.first("content-id").strip(b"<> \t") or fields.first("content-location")
    return given[:_LONGEST_NAME].decode("utf-8", "replace").lower() if given else ""


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
