"""Where somebody else's message begins in a body, and the lines that do nothing but introduce it.

An introduction is an attribution, a header block, a stroke with or without words above one, what a page marks
as the place, or what mail programs have announced a forwarded message with for decades.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.mail.quotes import attribution, block, signs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.mail.quotes.lines import Line

_LONGEST = 200
_LONGEST_ANNOUNCEMENT = 80
_ANSWER = re.compile(rf"\s*[^\W\d_][^\W\d_.\-]{{0,3}}\.?(?:\[\d{{1,3}}\])?\s?[{signs.COLONS}]")
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


def of(lines: Sequence[Line], subject: str, *, forwarded: bool) -> dict[int, Introduction]:
    """The introductions of a body by the line that each starts on.

    `subject` is the mail's, `forwarded` says that all of these lines were quoted.
    """
    finder = _Finder(lines, subject, forwarded=forwarded)
    finder.blocks()
    finder.attributions()
    return finder.found


class _Finder:
    """What is looked for line by line, and what was found."""

    def __init__(self, lines: Sequence[Line], subject: str, *, forwarded: bool) -> None:
        self._lines = lines
        self._core = block.without_prefixes(subject).casefold()
        self._answer = _ANSWER.match(subject) is not None
        self._forwarded = forwarded
        self._taken = 0
        self.found: dict[int, Introduction] = {}

    def blocks(self) -> None:
        """Marks, strokes and announcements, with the header blocks behind them; and header blocks alone."""
        position = 0
        while position < len(self._lines):
            line = self._lines[position]
            introduction = None if line.depth else self._announced(position) or self._block(position)
            if introduction is None:
                position += 1
                continue
            self.found[position] = introduction
            position = introduction.end

    def attributions(self) -> None:
        """Attributions among the lines that no header block has."""
        taken = {line for start, one in self.found.items() for line in range(start, one.end)}
        for last, line in enumerate(self._lines):
            if line.depth or last in taken or not line.text:
                continue
            one = attribution.ending_at(self._lines, last, answer=self._answer)
            if one is None or any(at in taken for at in range(one.start, one.end)):
                continue
            if one.weak and not self._only_quotes_below(one.end):
                self.found[one.start] = Introduction(one.end, attributes=True, weak=True)
            else:
                self.found[one.start] = Introduction(one.end, attributes=True)
            taken.update(range(one.start, one.end))

    def _announced(self, position: int) -> Introduction | None:
        """What announces a message here, and the header block behind it, if there is one."""
        line = self._lines[position]
        text = line.text
        if len(text) > _LONGEST and not line.mark:
            return None
        known = line.mark or _FORWARDED.match(text) is not None
        named = self._answer and bool(signs.ruled(text)) and not signs.labelled(signs.ruled(text))
        stroke = known or signs.rule(text) or bool(signs.ruled(text))
        colon = not stroke and bool(text) and len(text) <= _LONGEST_ANNOUNCEMENT and signs.ends_in_colon(text)
        if not stroke and not (colon and self._forwarded):
            return None
        below = self._below(position + 1)
        behind = self._announced(below) if line.mark and below < len(self._lines) else None
        behind = behind or self._block(below, announced=True, sure=known or named)
        if behind:
            return behind
        return Introduction(position + 1) if known or named else None

    def _block(self, position: int, *, announced: bool = False, sure: bool = False) -> Introduction | None:
        """The header block that starts here."""
        if position >= len(self._lines) or self._lines[position].depth or not self._lines[position].text:
            return None
        alone, rest = block.on_one_line(self._lines[position].text, subject=self._core, announced=announced)
        if alone:
            return Introduction(position + 1, rest)
        end = block.end_of(
            self._lines,
            position,
            subject=self._core,
            announced=announced or self._forwarded,
            sure=sure,
            answer=self._answer,
        )
        return Introduction(end) if end else None

    def _below(self, position: int) -> int:
        """The next line with words or a mark, at most three further down."""
        for at in range(position, min(position + 4, len(self._lines))):
            if self._lines[at].text or self._lines[at].mark:
                return at
        return len(self._lines)

    def _only_quotes_below(self, position: int) -> bool:
        """Whether nobody writes anything below but in quotes, to the end or to a signature."""
        for line in self._lines[position:]:
            if line.text == "--":
                return True
            if line.text and not line.depth and not line.loose:
                return False
        return True
