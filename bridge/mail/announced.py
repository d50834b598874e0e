"""The words for a code in a text, told apart from those for other codes by what stands beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.mail import codewords

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCE_END = re.compile(r"[.!?](?:\s+(?!\d)|\s*\n)|[。！？।۔؟။។]|\n\s*\n")
"""Where a sentence ends, in many scripts."""

_MOST_WORDS = 8
_MOST_STEMS = 60
_BESIDE = 40
_LONGEST_WORD = 40
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\U0010ffff]")
"""Scripts that put no blanks between words, or none before particles."""
_OF = re.compile(r"(?:d[eiou]|da|del|della|dell|des|d|der|von|van|of|af|av)\b['’]?\s?", re.IGNORECASE)
_QUALIFIED = re.compile(r"[^\d:\uff1a,;(]*")
_DISCOUNT = re.compile(r"\d ?[%٪]|\b(?:off|rabatt|discount)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Word:
    """A word for a code: where it stands, and whether all about it says that it is one that opens something.

    A password is none of these until a number is said to be it.
    """

    start: int
    end: int
    sure: bool
    password: bool


def words(text: str) -> Iterator[Word]:
    """The first words for a code that may be one that opens something, in a text that is readable."""
    found, stems, end = 0, 0, -1
    for match in codewords.announcing(text):
        if match.end() <= end:
            continue
        stems += 1
        if found == _MOST_WORDS or stems > _MOST_STEMS:
            return
        start, end = _whole(text, *match.span())
        certain = match["certain"] is not None
        before, behind = _beside(text, start, end)
        if not certain and (
            codewords.NO_WORD.fullmatch(text, start, end) or _is_other(text[start:end], before, behind)
        ):
            continue
        yield Word(start, end, certain or _opens(text[start:end], before, behind), match["password"] is not None)
        found += 1


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole word around a stem, where words have blanks between them."""
    first, last = max(start - _LONGEST_WORD, 0), min(end + _LONGEST_WORD, len(text))
    while start > first and _joins(text[start - 1]):
        start -= 1
    while end < last and _joins(text[end]):
        end += 1
    return start, end


def _joins(character: str) -> bool:
    return character.isalpha() and not _UNSPACED.match(character)


def _beside(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and behind a word in its sentence."""
    before, behind = text[max(start - _BESIDE, 0) : start], text[end : end + _BESIDE]
    cut = max((stop.end() for stop in SENTENCE_END.finditer(before)), default=0)
    stop = SENTENCE_END.search(behind)
    return before[cut:], behind[: stop.start() if stop else len(behind)]


def _opens(word: str, before: str, behind: str) -> bool:
    """Whether a code opens something, or is yours."""
    return bool(
        codewords.OPENING.search(f"{before}{word}{behind}") or codewords.YOURS.search(f"{before}{word}{behind[:20]}")
    )


def _is_other(word: str, before: str, behind: str) -> bool:
    """Whether a code is one of the others, by its qualifier: the two words before it, or the one behind."""
    if codewords.OTHER_USES.match(behind) or _DISCOUNT.search(before + behind):
        return True
    last = " ".join(before[before.rfind("\n") + 1 :].split()[-2:])
    qualified = _QUALIFIED.match(behind)
    following = _OF.sub("", qualified[0].strip() if qualified else "", count=1).split()
    return codewords.OTHER.search(f"{last} {word}|{''.join(following[:1])}") is not None
