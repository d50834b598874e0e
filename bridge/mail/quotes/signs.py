"""What tells that a line was written by a mail program: an address, a date or a time, a label, a colon at the end.

None of it is a word of a language. Dates are known by their figures, in all scripts' digits.
"""

from __future__ import annotations

import re
import unicodedata

COLONS = ":\u0589\u05c3\u1365\u1366\u17d6\u1804\u2236\ua789\ufe13\ufe55\uff1a"
"""The colons of all scripts."""

_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:@]{1,128}\s?@\s?[^\s<>()\[\]\"',;:@]{2,255}")
_MAILBOX = re.compile(r"\w[\"'’”»)]?\s{0,2}[<\[(]{1,2}\s?(?:mailto:)?[^\s<>()\[\]@]{1,128}@")
_LABEL = re.compile(
    rf"[*_]{{0,2}}(?P<label>[^\W\d_][^\d{COLONS}@<>!?/\\,;\"|]{{0,39}}?)\s?[*_]{{0,2}}\s?[{COLONS}][*_]{{0,2}}(?P<value>(?!//).*)"
)
_FIGURE = re.compile(r"\d")
_SEPARATED = r"\s?(?:[./\u2010-\u2015-]|[年년월月])\s?"
_NUMERIC = re.compile(
    rf"(?<![\d.])(?:\d{{4}}{_SEPARATED}\d\d?{_SEPARATED}\d\d?|\d\d?{_SEPARATED}\d\d?{_SEPARATED}\d{{2,4}}"
    r"|\d\d\.\s\d\d?\.\s\d\d?\.)(?!\d)"
)
_IN_WORDS = re.compile(
    r"(?<!\d)\d\d?(?!\d)\D{1,40}(?<!\d)(?:1[34]|19|2[0-9]|5[78])\d\d(?!\d)"
    r"|(?<!\d)(?:1[34]|19|2[0-9]|5[78])\d\d(?!\d)\D{1,40}(?<!\d)\d\d?(?!\d)"
)
_TIME = re.compile(r"(?<![\d:])\d\d?\s?[:\uff1a\u066b]\s?\d\d(?!\d)|(?<!\d)\d\d?\s?[時时點点시hч]\.?\s?\d\d?(?!\d)")
_TIME_WITH_DOT = re.compile(r"(?<!\d)\d{1,4}\D{2,40}(?<![\d.])\d\d?\.\d\d(?!\d|\.\d)")
_SENTENCE_END = ".!?。！？…।؟"
_ABBREVIATION = re.compile(r"(?:^|[\s.\d])[^\W\d_]{1,4}\.$")
_DAY = re.compile(r"(?<!\d)\d\d?\.$")
_DRAWN = r"[-_=~*\u2010-\u2015\u2500]"
_RULE = re.compile(rf"{_DRAWN}{{8,}}")
_RULED = re.compile(rf"{_DRAWN}{{3,}}\s?[>\s]{{0,3}}(?P<words>(?!{_DRAWN})\S.{{0,200}}?)\s{{0,3}}{_DRAWN}{{3,}}")


def address(text: str) -> bool:
    """Whether an address stands there, anywhere."""
    return "@" in text and _ADDRESS.search(text) is not None


def mailbox(text: str) -> bool:
    """Whether an address in brackets stands behind a name."""
    return "@" in text and _MAILBOX.search(text) is not None


def addresses(text: str) -> int:
    """How many addresses stand there."""
    return len(_ADDRESS.findall(text)) if "@" in text else 0


def moment(text: str) -> bool:
    """Whether a date or a time stands there, in the figures of any script."""
    return dated(text) or timed(text)


def dated(text: str) -> bool:
    """Whether a date stands there: three numbers between the same kinds of signs, or a day and a year."""
    figures = _figures(text)
    return figures != "" and (_NUMERIC.search(figures) is not None or _IN_WORDS.search(figures) is not None)


def timed(text: str) -> bool:
    """Whether a time of day stands there: hours and minutes, between them a colon, or a dot behind a date."""
    figures = _figures(text)
    return figures != "" and (_TIME.search(figures) is not None or _TIME_WITH_DOT.search(figures) is not None)


def labelled(text: str) -> tuple[str, str] | None:
    """Label and value of a line `label: value`; None when it is not one."""
    found = _LABEL.fullmatch(text)
    return (found["label"].strip(), found["value"].strip()) if found else None


def unlabelled(text: str) -> bool:
    """Whether there is no colon at a glance, so that nothing there can be a label."""
    return text.isascii() and ":" not in text


def ends_in_colon(text: str) -> bool:
    """Whether the last thing on a line is a colon, perhaps in bold."""
    last = text.rstrip(" *_\u00a0")[-1:]
    return last != "" and last in COLONS


def ends_sentence(text: str) -> bool:
    """Whether a line ends as a sentence does, and not with an abbreviation beside a date or a day beside an address."""
    if text[-1:] not in _SENTENCE_END:
        return False
    return not (moment(text) and _ABBREVIATION.search(text)) and not (address(text) and _DAY.search(text))


def rule(text: str) -> bool:
    """Whether a line is drawn from one end to the other."""
    return _RULE.fullmatch(text) is not None


def ruled(text: str) -> str:
    """What stands between the strokes of `---- words ----`; "" for other lines."""
    found = _RULED.fullmatch(text)
    return found["words"] if found else ""


def behind_ruled(text: str) -> str | None:
    """What follows `---- words ----` on its line; None for lines that do not begin so."""
    found = _RULED.match(text)
    return text[found.end() :].strip() if found else None


def _figures(text: str) -> str:
    """`text` with ASCII digits for those of all scripts; "" when there are none."""
    if not _FIGURE.search(text):
        return ""
    return text if text.isascii() else _FIGURE.sub(lambda figure: str(unicodedata.decimal(figure[0])), text)
