"""Where a text may be cut: between the characters that readers see, never inside one.

Readers see a flag, a family of emoji, a letter with its marks or a Hangul syllable as one character
(extended grapheme clusters, UAX #29). `regex` knows them by Unicode's own tables, the same on every
Python (docs/decisions/0001-libraries.md). Pure functions, linear in the length of the text.
"""

from __future__ import annotations

import regex

ELLIPSIS = "…"

_FLAG = r"\p{Regional_Indicator}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+"  # GB9, GB9a, GB12
_CHARACTER = regex.compile(rf"{_FLAG}|\X")
"""One character where another ends. In a row of flags each `\\X` would count all letters before it: quadratic."""


def clip(text: str, limit: int) -> str:
    """`text` within `limit` code points, ending in `…` when cut; "" when not one character has room."""
    if len(text) <= limit:
        return text
    return _marked(text, limit - len(ELLIPSIS))


def clip_bytes(text: str, limit_bytes: int) -> str:
    """`text` within `limit_bytes` of UTF-8, ending in `…` when cut; "" when not one character has room."""
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    room_bytes = max(limit_bytes - len(ELLIPSIS.encode()), 0)
    return _marked(text, len(encoded[:room_bytes].decode(errors="ignore")))


def whole(text: str, end: int) -> str:
    """The longest start of `text` of at most `end` code points that ends between two characters."""
    if end >= len(text):
        return text
    if end <= 0:
        return ""
    if text[end - 1 : end + 1].isascii() and text[end] != "\n":  # CR and LF are one character
        return text[:end]
    # Nothing before a space joins what is behind it, so the search starts at the last one; unless the
    # space itself is joined to what follows, and so perhaps to what precedes.
    nearby = max(text.rfind(" ", 0, end), 0)
    return text[: _last_edge(text, nearby, end) or _last_edge(text, 0, end)]


def _last_edge(text: str, start: int, end: int) -> int:
    """The last place between two characters behind `start` and up to `end`; 0 when there is none."""
    for character in _CHARACTER.finditer(text, start):
        if character.end() > end:
            return character.start() if character.start() > start else 0
    return end


def _marked(text: str, end: int) -> str:
    kept = whole(text, end).rstrip()
    return kept + ELLIPSIS if kept else ""
