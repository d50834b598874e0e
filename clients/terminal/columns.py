"""Text that fills columns of a terminal, which counts in cells: CJK has two, an accent none. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from rich.cells import cell_len

from clients.terminal.screen import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNSTEADY = re.compile("[\ufe00-\ufe0f\u20e3\U0001f3fb-\U0001f3ff]|\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])")
_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]")
ELLIPSIS = "…"


def steady(text: str) -> str:
    """Readable text of which terminals agree how wide it is: emoji without what joins, tints or dresses them."""
    return _REGIONAL.sub(lambda match: chr(ord(match[0]) - 0x1F1E6 + ord("A")), _UNSTEADY.sub("", readable(text)))


def fit(text: str, cells: int, *, fill: bool = True) -> str:
    """As much of the text as has room in so many cells, cut between characters as readers see them."""
    text = steady(text)
    if cell_len(text) > cells:
        kept = ""
        for character in _characters(text):
            if cell_len(kept) + cell_len(character) > cells - 1:
                break
            kept += character
        text = (kept.rstrip() + ELLIPSIS) if cells > 0 else ""
    return text + " " * (cells - cell_len(text)) if fill else text


def _characters(text: str) -> Iterator[str]:
    """A letter with the marks that stand on it, or that join it to the next."""
    character = ""
    for each in text:
        joined = character.endswith("\u200d") or each == "\u200d"
        if character and not joined and not unicodedata.category(each).startswith("M"):
            yield character
            character = ""
        character += each
    yield character
