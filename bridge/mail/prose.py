"""The beginning of a text that is somebody's own prose at a glance: looked at as a whole, and not line by line. Pure.

What is told here is what `snippet` would keep of it, line by line; of what is not told nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.mail import boilerplate
from bridge.mail.links import MARKS
from bridge.mail.quotes import introductions
from bridge.mail.quotes.attribution import MOST_LINES

if TYPE_CHECKING:
    from collections.abc import Sequence


def begun(pieces: Sequence[str], enough: int, subject: str) -> tuple[list[str], int]:
    """The first lines with more than `enough` characters together, or all, and how many of the pieces those are.

    None of them if one of these, or of those behind them that might say whose they are, is anything but plain prose.
    """
    said, length, behind, ends = [], 0, 0, 0
    for piece in pieces:
        text = piece.strip()
        if length > enough:
            if not text or behind == MOST_LINES - 1:
                break
            behind += 1
        else:
            length += len(text)
            ends += 1
        said.append(text)
    whole = "\n".join(said)
    if "[" in whole or not introductions.quiet(whole) or boilerplate.hints(whole.casefold()):
        return [], 0
    kept: list[str] = []
    starts = True
    for at, text in enumerate(said):
        if text:
            if not _plain(text, starts=starts):
                return [], 0
            if at < ends:
                kept.append(text)
        starts = not text
    return ([], 0) if kept and kept[0] == subject else (kept, ends)


def _plain(text: str, *, starts: bool) -> bool:
    """Whether a line of a text without colons, addresses and hints is neither drawn nor a note nor an announcement."""
    if not text[0].isalnum() or text[-1] in MARKS or (starts and boilerplate.names_device(text)):
        return False
    return boilerplate.begins_otherwise(text) or not (boilerplate.is_noise(text) or introductions.announces(text))
