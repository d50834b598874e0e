"""Attributions: up to three lines that name who wrote what is quoted below, and when.

They hold an address, or a name and a date or time, and end in a colon; what follows is quoted, or is the
rest of the mail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.mail.quotes import signs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.mail.quotes.lines import Line

MOST_LINES = 3
"""Lines of the longest attribution."""

_ALL = 3
_LONGEST = 400
_LONGEST_WITHOUT_ADDRESS = 160
_LONGEST_BARE = 80
_HEADLESS = re.compile(r"[<(\[]|[^<>]{0,200}>")
"""What begins with an address in brackets, or in the middle of one, goes on from the line above with the name."""

_END_OF_ADDRESS = re.compile(r"@[^\s<>]{1,255}>(?:\s[^\W\d_]{1,20}){0,2}$")


@dataclass(frozen=True, slots=True)
class Attribution:
    """The lines from `start` to before `end`. A weak one has nothing of an attribution but its colon and its place."""

    start: int
    end: int
    weak: bool = False


def ending_at(lines: Sequence[Line], last: int, *, answer: bool) -> Attribution | None:
    """The attribution whose last line this is; None when there is none.

    `answer` says that the mail as a whole is a reply: then a paragraph with date and time suffices where nothing is
    marked as quoted.
    """
    text = lines[last].text
    if lines[last].depth or not text or len(text) > _LONGEST:
        return None
    if words := signs.ruled(text):
        return Attribution(last, last + 1) if signs.moment(words) else None
    if not signs.ends_in_colon(text):
        return _without_colon(lines, last, answer=answer) if "@" in text else None
    quoted = _quoted_below(lines, last)
    start, whole = _extended(lines, last)
    apart = not _text(lines, last + 1)
    paragraph = apart and not _text(lines, start - 1)
    if ((quoted or answer or apart) and _attributes(whole, quoted=quoted)) or (answer and paragraph and _dates(whole)):
        return Attribution(start, last + 1)
    bare = quoted and len(text) <= _LONGEST_BARE and not any(mark in text for mark in ".!?。！？")
    return Attribution(last, last + 1, weak=True) if bare else None


def _without_colon(lines: Sequence[Line], last: int, *, answer: bool) -> Attribution | None:
    """An attribution that has lost its colon: above a quote, with an address and a date.

    In a reply it may be a paragraph that ends a word or two behind its address.
    """
    text = lines[last].text
    paragraph = not _text(lines, last - 1) and not _text(lines, last + 1)
    if not _quoted_below(lines, last):
        complete = signs.mailbox(text) and _dates(text) and _END_OF_ADDRESS.search(text) is not None
        return Attribution(last, last + 1) if answer and paragraph and complete else None
    start, whole = _extended(lines, last)
    return Attribution(start, last + 1) if signs.address(whole) and signs.moment(whole) else None


def _attributes(whole: str, *, quoted: bool) -> bool:
    """Whether lines that end in a colon name somebody by address and date; above a quote one of them is enough."""
    has_address, has_moment = signs.address(whole), signs.moment(whole)
    return (has_address or has_moment) if quoted else (has_address and has_moment)


def _dates(whole: str) -> bool:
    """Whether there are few words, a date and a time."""
    return len(whole) <= _LONGEST_WITHOUT_ADDRESS and signs.dated(whole) and signs.timed(whole)


def _text(lines: Sequence[Line], position: int) -> str:
    return lines[position].text if 0 <= position < len(lines) else ""


def _quoted_below(lines: Sequence[Line], last: int) -> bool:
    """Whether the next line with words is quoted, or a page says so."""
    for line in lines[last + 1 : last + 8]:
        if line.depth or line.loose or line.mark:
            return True
        if line.text:
            return False
    return False


def _extended(lines: Sequence[Line], last: int) -> tuple[int, str]:
    """Where the attribution starts, and all of it on one line: as few lines as hold an address and a date, or one.

    A time alone may be somebody's own in the lines above.
    """
    best, most = (last, lines[last].text), -1
    start, whole = best
    while len(whole) <= _LONGEST:
        moment = signs.dated(whole) or signs.timed(lines[last].text)
        holds = signs.address(whole) + moment + (not _HEADLESS.match(whole))
        if holds > most:
            best, most = (start, whole), holds
        start -= 1
        if most == _ALL or start < 0 or start <= last - MOST_LINES or not _goes_on(lines[start]):
            break
        whole = f"{lines[start].text} {whole}"
    return best


def _goes_on(line: Line) -> bool:
    """Whether the next line may be the rest of this one: a sentence and a line that announces another do not go on."""
    text = line.text
    return bool(text) and not line.depth and not signs.ends_in_colon(text) and not signs.ends_sentence(text)
