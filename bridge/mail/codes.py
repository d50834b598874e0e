"""One-time codes: of all numbers in a mail the one that is said to be the code.

Numbers are known by their form (`codenumbers`), words for a code by their stems (`codewords`). What decides is how
the two stand to one another: `code: 123456` and `123456 is your code` say it, a number beside the word may be it, and
one that belongs to an order, a customer or a telephone never is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

from bridge.mail import announced, codenumbers, codewords, plain
from bridge.mail.announced import SENTENCE_END
from bridge.mail.quotes.lines import BEGIN, END, HERE

if TYPE_CHECKING:
    from bridge.mail.announced import Word
    from bridge.mail.codenumbers import Number

_SEARCHED = 2_000
_SHORT = 600
"""Characters of a mail that says little else: there a number next to the word is enough."""
_LAST = 24
_AFTER = 120
_BEFORE = 60
_FAR = 500

_SAID, _NEXT, _ALONE, _NEAR, _LONE = 100, 90, 85, 60, 30
"""Points of a number: it is said to be the code, next to the word, alone on its line, near the word, the only one."""
_ENOUGH = 40
_SURE = 20
_SECOND = 5
_STURDY = 3

_QUOTED = re.compile(f"^[ ]*>[^\n]*|{HERE}[^\0]*|{BEGIN}[^{END}]*", re.MULTILINE)
"""What is quoted, by its sign or by the marks that are left in the text of a page where its quotes begin and end."""
_SAYING = re.compile(rf"(?:{codewords.COLON}|\s[–—-]|\s?{codewords.IS})[\W_]{{0,8}}\Z", re.IGNORECASE)
_SAYING_SO = re.compile(rf"[^\w\n]{{0,3}}(?:[–—=-]|{codewords.IS})", re.IGNORECASE)
_LETTERS = re.compile(
    rf"(?:\s{codewords.IS})?"
    r"[\W_]{0,3}[:\uff1a]\s{1,8}([A-Z]{5,10}|[A-Z]{3,4}-[A-Z]{3,4}|(?=[a-z]{0,7}\d)(?=\d{0,7}[a-z])[a-z0-9]{5,8})"
    r"[.\s]{0,3}(?:$|\n)"
)
_ON = re.compile(r"\bon\s\Z", re.IGNORECASE)
"""Before a date in English, where a Finn would say that it is something."""
_BREAK = re.compile(r"[\d,;|·()\n、，：:。।.–—]")
_NO_CODES = re.compile(
    r"\bID\s?:\s?\d{2,4}(?: \d{2,4}){2,3}\b|\bmeeting number\b|^(?:diff |@@ -"
    r"|index [0-9a-f]{7,40}\.\.)",
    re.IGNORECASE | re.MULTILINE,
)
"""What stands above the password of a meeting on the web, and in a patch."""


def find(subject: str, *texts: str) -> str:
    """The one-time code that a subject and texts of its mail hold, in the digits of its script; "" without one.

    Of several numbers that may be it the one is taken that is said to be it most clearly, and of equals the first.
    """
    said = [text[:_SEARCHED] for text in (subject, *texts)]
    if _none("\n".join(said)):
        return ""
    written = [_own(text) for text in said]
    read = [codenumbers.readable(text) for text in written]
    words = [list(announced.words(text)) for text in read]
    if not any(words):
        return ""
    search = _Search(read, words)
    best, code = 0, ""
    for at, numbers in enumerate(search.numbers):
        for number in numbers:
            sureness = search.sureness(at, number)
            if sureness > best:
                best, code = sureness, " ".join(written[at][number.start : number.end].split())
    code = code if best >= _ENOUGH else next(filter(None, map(_letters, read, words)), "")
    return "" if code and any(map(_NO_CODES.search, read)) else code


def _none(whole: str) -> bool:
    """Whether texts have no code at a glance: no figure and no colon, nothing written like one, or no word for one."""
    if plain.uncounted(whole):
        return True
    if not whole.isascii():
        return False
    whole = codenumbers.readable(whole)
    return codenumbers.unwritten(whole) or next(codewords.announcing(whole), None) is None


def _own(text: str) -> str:
    """A text without what is quoted in it."""
    return unicodedata.normalize("NFC", text if plain.unquoted(text) else _QUOTED.sub("", text))


class _Search:
    """How sure it is of each number that it is the code."""

    def __init__(self, texts: list[str], words: list[list[Word]]) -> None:
        self._texts = texts
        self._words = words
        self._subject = any(word.sure and not word.password for word in words[0])
        self._short = max(map(len, texts)) <= _SHORT
        self.numbers = [
            [number for number in codenumbers.written(text) if not self._claimed(at, number)]
            for at, text in enumerate(texts)
        ]
        different = {
            texts[at][number.start : number.end]
            for at, several in enumerate(self.numbers)
            for number in several
            if not (number.dated or number.long)
        }
        self._only = len(different) == 1

    @cached_property
    def _context(self) -> bool:
        """Whether something is opened at all; a look at all of the texts, for which most numbers are no reason."""
        sure = any(word.sure for several in self._words for word in several)
        return sure or any(map(codewords.OPENING.search, self._texts))

    def sureness(self, at: int, number: Number) -> int:
        """Points: below `_ENOUGH` it is no code."""
        text = self._texts[at]
        best = max((self._relation(text, word, number) for word in self._words[at]), default=0)
        if number.alone and (self._subject or self._stands_below(at, number, _FAR)):
            best = max(best, _ALONE)
        if not best and self._bid(at, number):
            best = _LONE + (_LONE if number.sturdy else 0) + (_SURE if self._only else 0)
        if number.long and best < _NEXT:
            return 0
        if number.dated and (best < _SAID or _ON.search(text, 0, number.start)):
            return 0
        return best + (_STURDY if number.sturdy else 0) if best else 0

    def _relation(self, text: str, word: Word, number: Number) -> int:
        """What a word says of a number in its sentence."""
        follows = number.start >= word.end
        between = text[word.end : number.start] if follows else text[number.end : word.start]
        if len(between) > (_AFTER if follows else _BEFORE) or SENTENCE_END.search(between.rstrip()):
            return 0
        if number.long and not word.sure:
            return 0
        points = (_SURE if word.sure else 0) - (0 if follows else _SECOND)
        if (word.sure or len(between) <= _BEFORE) and not (number.mixed and not self._context):
            said = _SAYING.search(between[-_LAST:]) if follows else _SAYING_SO.match(between)
            if said:
                return _SAID + max(points, 0) - len(between) // 8
        if not any(map(str.isalnum, between)) and (word.sure or ((self._context or self._short) and not number.mixed)):
            return _NEXT + points
        if word.sure and not word.password and not number.brief:
            return _NEAR + points - len(between) // 3
        return 0

    def _claimed(self, at: int, number: Number) -> bool:
        """Whether a number is called something else's: where the word for a code is part of that, it is the code's."""
        if number.measured:
            return True
        claimed = number.claimed
        if claimed is None:
            return False
        above = [word for word in self._words[at] if word.start <= number.start]
        if any(word.end >= claimed - 1 for word in above):
            return False
        return not (number.loosely and any(_runs_on(self._texts[at][word.end : claimed]) for word in above))

    def _bid(self, at: int, number: Number) -> bool:
        """Whether a number may be the code that is spoken of in the subject, just above it or just below."""
        if number.mixed or number.start > _FAR:
            return False
        if number.sturdy and self._only and self._context and self._stands_above(at, number):
            return True
        return at > 0 and (self._subject or self._stands_below(at, number, _AFTER))

    def _stands_above(self, at: int, number: Number) -> bool:
        """Whether the next sentence, or the body of the subject, speaks of the code."""
        behind = (word for word in self._words[at] if 0 <= word.start - number.end < _AFTER)
        bodies = (word for several in self._words[1:] for word in several) if at == 0 else ()
        return any(not word.password for word in behind) or any(word.sure and not word.password for word in bodies)

    def _stands_below(self, at: int, number: Number, far: int) -> bool:
        """Whether a word for a code stands above a number, not too far; of words nearby only such as are sure."""
        nearest = _BEFORE if far > _AFTER else 0
        return any(
            word.sure or far > _AFTER
            for word in self._words[at]
            if word.start < number.start and number.start - word.end < (nearest if word.password else far)
        )


def _runs_on(between: str) -> bool:
    """Whether a phrase goes on: `code for your order: 123456` is a code, `code, order: 123456` is an order."""
    return len(between) <= _BEFORE and not _BREAK.search(between)


def _letters(text: str, words: list[Word]) -> str:
    """A code of nothing but letters, or of small ones and digits: only behind a colon, at the end of a line."""
    for word in words:
        match = _LETTERS.match(text, word.end)
        if word.sure and match and not (match[1].isupper() and text[word.start : word.end].isupper()):
            return match[1]
    return ""
