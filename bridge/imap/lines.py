"""What a server sends, cut into responses: lines, with the literals in them (RFC 9051 §4.3). Pure, bounded.

However the bytes come, each is looked at once, and no more is kept than the limits say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.imap.errors import ImapLimitError, ImapSyntaxError

LONGEST_LINE = 256 * 1024
"""Bytes of a response without its literals."""
LARGEST_LITERAL = 256 * 1024
"""Bytes of one literal: no more than the piece of a mail that we ask for."""
MOST_LITERALS = 16
_LITERAL = re.compile(rb"\{([0-9]{1,20})\+?\}\Z")


@dataclass(frozen=True, slots=True)
class Response:
    """One response: its text without line ends, cut where literals stood, and these: one less than pieces of text."""

    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(map(len, self.texts)) + sum(map(len, self.literals))


class Responses:
    """Takes bytes and gives responses. Raises ImapLimitError or ImapSyntaxError, and is of no use then."""

    def __init__(self, *, longest_line: int = LONGEST_LINE, largest_literal: int = LARGEST_LITERAL) -> None:
        self._longest_line = longest_line
        self._largest_literal = largest_literal
        self._line = bytearray()
        self._literal: bytearray | None = None
        self._missing = 0
        self._texts: list[bytes] = []
        self._literals: list[bytes] = []
        self._text_bytes = 0

    def feed(self, data: bytes) -> list[Response]:
        """The responses that these bytes complete."""
        found: list[Response] = []
        position = 0
        while position < len(data):
            if self._literal is not None:
                piece = data[position : position + self._missing]
                self._literal += piece
                self._missing -= len(piece)
                position += len(piece)
                if not self._missing:
                    self._end_literal()
                continue
            end = data.find(b"\n", position)
            stop = len(data) if end < 0 else end + 1
            self._line += data[position:stop]
            position = stop
            if self._text_bytes + len(self._line) > self._longest_line:
                raise ImapLimitError(f"the server sent a line of more than {self._longest_line} bytes")
            if end >= 0:
                found += self._end_line()
        return found

    def _end_literal(self) -> None:
        assert self._literal is not None
        self._literals.append(bytes(self._literal))
        self._literal = None

    def _end_line(self) -> list[Response]:
        text = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        literal = _LITERAL.search(text)
        if literal is not None:
            self._begin_literal(text[: literal.start()], int(literal[1]))
            return []
        response = Response((*self._texts, text), tuple(self._literals))
        self._texts, self._literals, self._text_bytes = [], [], 0
        if not text and len(response.texts) == 1:
            raise ImapSyntaxError("the server sent an empty line")
        return [response]

    def _begin_literal(self, before: bytes, size: int) -> None:
        if size > self._largest_literal:
            raise ImapLimitError(f"the server announced {size} bytes, of which at most {self._largest_literal} are due")
        if len(self._literals) >= MOST_LITERALS:
            raise ImapLimitError(f"the server sent more than {MOST_LITERALS} literals in a response")
        self._texts.append(before)
        self._text_bytes += len(before)
        self._literal, self._missing = bytearray(), size
        if not size:
            self._end_literal()
