"""Where somebody else's message begins in a body, and the lines that do nothing but introduce it.

An introduction is an attribution, a header block, a stroke with or without words above one, what a page marks
as the place, or what mail programs have announced a forwarded message with for decades. Lines are judged when
somebody comes to them: whoever has read enough asks for no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.mail.quotes import attribution, block, signs
from bridge.mail.quotes.lines import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.mail.quotes.attribution import Attribution
    from bridge.mail.quotes.lines import Line

_FEW = 4
_LONGEST = 200
_LONGEST_ANNOUNCEMENT = 80
_ANSWER = re.compile(rf"\s*[^\W\d_][^\W\d_.\-]{{0,3}}\.?(?:\[\d{{1,3}}\])?\s?[{signs.COLONS}]")
_DRAWN = frozenset("-_=~*>|\u2010\u2011\u2012\u2013\u2014\u2015\u2500")
_LOUD = re.compile(f"[@{signs.COLONS}{UNSEEN}]")
_FORWARDED = re.compile(
    r"[-_*>\s]*(?:begin forwarded message|forwarded message|original message|original appointment"
    r"|(?:anfang der )?weitergeleiteten? (?:nachricht|e-?mail)|ursprüngliche nachricht"
    r"|message (?:transféré|d'origine|original)|mensaje (?:reenviado|original)|mensagem (?:encaminhada|original)"
    r"|messaggio (?:inoltrato|originale)|doorgestuurd bericht|oorspronkelijk bericht"
    r"|пересылаемое сообщение|исходное сообщение|转发的邮件|原始邮件)e?\s*[-_*:]*\s*$",
    re.IGNORECASE,
)
"""Announcements that stood without a header block below them, which alone would tell them by their shape."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """The lines to before `end`, and words of the message itself on the last one. Weak ones may be somebody's own."""

    end: int
    rest: str = ""
    attributes: bool = False
    weak: bool = False


def answers(subject: str) -> bool:
    """Whether a subject begins as that of a reply or of something forwarded does: with a few letters and a colon."""
    return _ANSWER.match(subject) is not None


class Introductions:
    """The introductions of a body. `subject` is the mail's, `forwarded` says that all of these lines were quoted."""

    def __init__(self, lines: Sequence[Line], subject: str, *, forwarded: bool) -> None:
        self._lines = lines
        self._core = block.without_prefixes(subject).casefold()
        self._answer = answers(subject)
        self._forwarded = forwarded
        first = (position for position, line in enumerate(lines) if line.text)
        self._first_quoted = next(first, -1) if forwarded else -1
        self._no_block_before = 0
        self._attributions: dict[int, Attribution | None] = {}

    def at(self, position: int) -> Introduction | None:
        """The introduction that starts on this line."""
        line = self._lines[position]
        if line.depth or not (line.text or line.mark):
            return None
        if line.mark:
            return Introduction(position + 1)
        if quiet(line.text) and not announces(line.text):
            if paragraph(self._lines, position, attribution.MOST_LINES):
                return None
            return self._attributed(position)
        marked = self._marked_above(position)
        return (
            self._announced(position)
            or self._block(position, announced=marked or position == self._first_quoted)
            or self._attributed(position)
        )

    def _attributed(self, position: int) -> Introduction | None:
        """The attribution that starts here."""
        for last in range(position, min(position + attribution.MOST_LINES, len(self._lines))):
            if last not in self._attributions:
                self._attributions[last] = attribution.ending_at(self._lines, last, answer=self._answer)
            one = self._attributions[last]
            if one and one.start == position:
                return Introduction(one.end, attributes=True, weak=one.weak and not self._only_quotes_below(one.end))
            if self._lines[last].depth or not self._lines[last].text:
                break
        return None

    def _announced(self, position: int) -> Introduction | None:
        """What announces a message here, and the header block behind it, if there is one."""
        text = self._lines[position].text
        if len(text) > _LONGEST:
            return None
        words = signs.ruled(text)
        known = announces(text)
        named = self._answer and bool(words) and signs.labelled(words) is None
        colon = self._forwarded and len(text) <= _LONGEST_ANNOUNCEMENT and signs.ends_in_colon(text)
        if not (known or words or colon or signs.rule(text)):
            return None
        behind = self._block(self._below(position + 1), announced=True, sure=known or named)
        return behind or (Introduction(position + 1) if known or named else None)

    def _block(self, position: int, *, announced: bool = False, sure: bool = False) -> Introduction | None:
        """The header block that starts here."""
        if position >= len(self._lines) or (position < self._no_block_before and not announced):
            return None
        line = self._lines[position]
        if line.depth or not line.text:
            return None
        if signs.unlabelled(line.text):
            return None
        alone, rest = block.on_one_line(line.text, subject=self._core, announced=announced)
        if alone:
            return Introduction(position + 1, rest)
        header, end = block.starting_at(
            self._lines,
            position,
            subject=self._core,
            announced=announced,
            sure=sure,
            answer=self._answer,
        )
        if not header:
            self._no_block_before = max(self._no_block_before, end)
            return None
        return Introduction(end)

    def _below(self, position: int) -> int:
        """The next line with words, at most three further down."""
        for at in range(position, min(position + _FEW, len(self._lines))):
            if self._lines[at].text:
                return at
        return len(self._lines)

    def _marked_above(self, position: int) -> bool:
        """Whether a page has marked the place right above."""
        for at in range(position - 1, max(position - _FEW, -1), -1):
            if self._lines[at].mark:
                return True
            if self._lines[at].text:
                return False
        return False

    def _only_quotes_below(self, position: int) -> bool:
        """Whether nobody writes anything below but in quotes, to the end or to a signature."""
        for line in self._lines[position:]:
            if line.text == "--":
                return True
            if line.text and not line.depth and not line.loose:
                return False
        return True


def announces(text: str) -> bool:
    """Whether a line is one of those with which mail programs announce a forwarded message."""
    return _FORWARDED.match(text) is not None


def quiet(text: str) -> bool:
    """Whether a line has nothing of what an introduction has, and is shown as it is judged: no colon, no address.

    Nor does it begin with a stroke, a sign of a quote or a table.
    """
    if text[:1] in _DRAWN:
        return False
    if text.isascii():
        return ":" not in text and "@" not in text
    return _LOUD.search(text) is None


def paragraph(lines: Sequence[Line], position: int, most: int) -> bool:
    """Whether up to `most` lines from here say nothing that an introduction has: a label, an address, a stroke."""
    for at in range(position, min(position + most, len(lines))):
        line = lines[at]
        if line.depth or line.mark or not quiet(line.text):
            return False
        if not line.text:
            break
    return True
