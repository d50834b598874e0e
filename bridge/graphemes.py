"""Where a text may be cut: between the characters that readers see, never inside one.

Readers see a flag, a family of emoji, a letter with its marks or a Hangul syllable as one character
(extended grapheme clusters, UAX #29). `regex` knows them by Unicode's own tables, the same on every
Python (docs/decisions/0001-libraries.md). Pure functions, linear in the length of the text.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

ELLIPSIS = "…"

_FLAG = r"\p{Regional_Indicator}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+"  # GB9, GB9a, GB12
_CHARACTER = rf"{_FLAG}|\X"
"""One character where another ends. In a row of flags each `\\X` would count all letters before it: quadratic."""

_SURE_EDGE = r"(?r)\p{GCB=Other}\p{GCB=Other}|[\p{GCB=Control}\p{GCB=LF}]"
"""Two of the letters, signs and spaces that join nothing by themselves: between them one character ends (GB999).
And so it does before a line end or another control (GB5)."""


def clip(text: str, limit: int, *, more: bool = False) -> str:
    """`text` within `limit` code points, ending in `…` when cut; "" when not one character has room.

    `more` says that what followed `text` is cut off already.
    """
    if len(text) <= limit and not more:
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
    sure = _compiled(_SURE_EDGE).search(text, 0, end)
    for character in _compiled(_CHARACTER).finditer(text, sure.end() - 1 if sure else 0):
        if character.end() > end:
            return text[: character.start()]
    return text[:end]


@cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    """The pattern, made when the first text is cut: commands cut none, and the library takes its time to import."""
    import regex  # noqa: PLC0415

    return regex.compile(pattern)


def _marked(text: str, end: int) -> str:
    kept = whole(text, end).rstrip()
    return kept + ELLIPSIS if kept else ""
