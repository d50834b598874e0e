"""What makes two deliveries the same mail: a digest of the content without its trace fields."""

from __future__ import annotations

import hashlib
import re

from bridge.mail.fields import FIELD_END, MOST_BLANKS, beginning

DIGEST_BYTES = 16
LONGEST_HEAD = 262_144
"""Bytes of header section that are searched for trace fields; what is beyond counts as body."""

_TRACE = re.compile(
    rb"\n(?:received|x-received|received-spf|return-path|delivered-to|x-delivered-to|x-original-to"
    rb"|envelope-to|x-envelope-to|x-envelope-from|delivery-date|authentication-results"
    rb"|arc-authentication-results)[ \t]*+:",
    re.IGNORECASE,
)
_BLANK_LINE = re.compile(rb"(?:\A|\n)\r?\n")


class ContentDigest:
    """Digest of a message that arrives in pieces; keeps at most its header section in memory.

    Fields that each hop adds or changes (Received, Return-Path, Delivered-To, Authentication-Results
    and their kin) do not count, nor does what is passed over above the first field (blank lines, an
    mbox separator: see `fields.beginning`), nor does it whether lines end in CRLF or LF. Every other
    byte does.
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._head: bytearray | None = bytearray()
        self._begun = False
        self._after_cr = False

    def update(self, chunk: bytes) -> None:
        """Take the next piece of the message; where it is cut makes no difference."""
        if self._head is None:
            self._body(chunk)
            return
        seen = len(self._head)
        self._head += chunk
        if not self._begun:
            if len(self._head) < MOST_BLANKS:
                return
            self._begin()
            seen = 0
        self._end_head(seen)

    def digest(self) -> bytes:
        """The 16 bytes of the digest, when the whole message has been taken."""
        if self._head is not None and not self._begun:
            self._begin()
            self._end_head(0)
        if self._head is not None:
            self._finish_head(len(self._head))
        final = self._hash.copy()
        if self._after_cr:
            final.update(b"\r")
        return final.digest()

    def _begin(self) -> None:
        """Forget the blank lines above the message, once all that is searched for them is there."""
        assert self._head is not None
        self._begun = True
        del self._head[: beginning(self._head)]

    def _end_head(self, seen: int) -> None:
        """Look for the end of the header section behind what was seen before, and go on to the body there."""
        assert self._head is not None
        blank = _BLANK_LINE.search(self._head, max(seen - 2, 0))
        if blank is not None and blank.end() <= LONGEST_HEAD:
            self._finish_head(blank.end())
        elif len(self._head) >= LONGEST_HEAD:
            self._finish_head(LONGEST_HEAD)

    def _finish_head(self, end: int) -> None:
        assert self._head is not None
        taken = bytes(self._head)
        head, rest = taken[:end], taken[end:]
        self._head = None
        self._after_cr = head.endswith(b"\r")
        lines = b"\n" + head.removesuffix(b"\r").replace(b"\r\n", b"\n")
        self._hash.update(_without_trace(lines))
        self._body(rest)

    def _body(self, chunk: bytes) -> None:
        """Hash with LF line ends; a CR at the end of a chunk waits for what follows it."""
        if not chunk:
            return
        if self._after_cr:
            chunk = b"\r" + chunk
        self._after_cr = chunk.endswith(b"\r")
        if self._after_cr:
            chunk = chunk[:-1]
        self._hash.update(chunk.replace(b"\r\n", b"\n"))


def _without_trace(lines: bytes) -> bytes:
    """Lines without those of trace fields; each line has its line end before it."""
    kept: list[bytes] = []
    position = 0
    for trace in _TRACE.finditer(lines):
        kept.append(lines[position : trace.start()])
        end = FIELD_END.search(lines, trace.end())
        position = end.start() if end else len(lines)
    return b"".join([*kept, lines[position:]])
