"""Text that may be shown: NFC, one line, no controls, no surrogates; clipped between characters.

Mail senders choose every character that these functions see. What they promise holds for any
string of any length, in linear time (docs/decisions/0003-reading-mail.md).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from bridge import graphemes

if TYPE_CHECKING:
    from collections.abc import Callable

_LINE_ENDS = re.compile("[\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]")
_UNSHOWABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACES = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f]")
# Soft hyphen, grapheme joiner, Hangul fillers, Mongolian separator, zero-width space, word joiner,
# invisible operators, deprecated formatting, byte order mark, interlinear marks, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0]")
"""Of what is invisible, all that Unicode counts as printable."""
_JOINER = re.compile("[\u200c\u200d]+")
_STREAM_SAFE = 30
_MOST_READ = 16_384


def one_line(text: str, *, limit: int, more: bool = False) -> str:
    """`text` as one line of at most `limit` characters; what is cut ends in `…`.

    NFC; line ends and runs of spaces become one space, controls and surrogates vanish. Everything
    else stays as the sender wrote it, so that scripts and emoji come out whole. `more` says that the
    text was cut off already, perhaps within a character. Of a text without end 16,384 characters are read.
    """
    return _line(text, lambda seen: seen, limit=limit, more=more)


def identity(text: str, *, limit: int) -> str:
    """A name or an address as one line, without anything invisible that could disguise it.

    Beside `one_line`: no bidirectional controls, nothing of zero width but the joiners that emoji
    and Arabic or Indic letters need to look right.
    """
    return _line(text, lambda seen: _visible(_DIRECTION_MARKS.sub("", seen)), limit=limit)


def prose(text: str, *, limit: int) -> str:
    """A snippet as one line: like `identity`, with the direction marks of right-to-left text kept."""
    return _line(text, _visible, limit=limit)


def paragraphs(text: str, *, limit: int, more: bool = False) -> str:
    """Readable text of several lines: NFC, LF between lines, at most one empty line in a row.

    The first `limit` characters are read; what is cut, or was cut off already (`more`), ends in `…`.
    """
    more = more or len(text) > limit
    text = text[:limit].replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n", text)
    text = _UNSHOWABLE.sub("", text.replace("\t", "    "))
    text = unicodedata.normalize("NFC", _without_towers(text))
    lines = [line.rstrip() for line in (_certain(text) if more else text).split("\n")]
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return graphemes.clip("\n".join(kept).strip("\n"), limit, more=more)


def cut(text: str) -> str:
    """`text` that was cut off somewhere, perhaps within a character: ending in `…` behind a whole one."""
    return graphemes.clip(_certain(text), len(text), more=True)


def _line(text: str, seen: Callable[[str], str], *, limit: int, more: bool = False) -> str:
    """What cleaning all of `text` and clipping it would give, by reading no more than it takes.

    Mostly the first few characters fill the line. Where white space or what nobody sees leaves it
    short, more are read; of a text of nothing else for 16,384 characters only `…` may be left.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text and not more:
        return text.strip(" ")
    text = text.lstrip()
    for enough in (limit * 4 + 256, _MOST_READ):
        if len(text) <= enough:
            break
        start = _certain(_cleaned(text[:enough], seen)).strip(" ")
        if len(start) > limit:
            return graphemes.clip(start, limit)
    else:
        text, more = text[:_MOST_READ], True
    line = _cleaned(text, seen)
    if more:
        return graphemes.clip(_certain(line).strip(" "), limit, more=True) or graphemes.ELLIPSIS
    return graphemes.clip(line.strip(" "), limit)


def _cleaned(text: str, seen: Callable[[str], str]) -> str:
    """`text` on one line; a space at either end stays."""
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text) if "  " in text else text
    if text.isprintable() and not _UNSEEN.search(text):
        text = unicodedata.normalize("NFC", _without_towers(text))
        return _SPACES.sub(" ", text) if "  " in text else text
    text = text if text.isascii() else seen(text)
    text = _UNSHOWABLE.sub("", _LINE_ENDS.sub(" ", text))
    return _SPACES.sub(" ", unicodedata.normalize("NFC", _without_towers(text)))


def _certain(text: str) -> str:
    """`text` that was cut off, without its last character, to which what followed may have belonged."""
    return graphemes.whole(text, len(text) - 1)


def _visible(text: str) -> str:
    text = _INVISIBLE.sub("", _OVERRIDES.sub("", text))
    return _JOINER.sub(lambda match: match[0][0] if _may_join(text, match) else "", text)


def _may_join(text: str, match: re.Match[str]) -> bool:
    """Whether a joiner stands where it shapes what is seen: after a symbol, a mark, an Arabic letter."""
    if match.start() == 0 or match.end() == len(text):
        return False
    before, after = text[match.start() - 1], text[match.end()]
    if after.isspace():
        return False
    shaped = unicodedata.category(before) in {"So", "Sk", "Mn", "Mc"}
    return shaped or unicodedata.bidirectional(before) == "AL"


def _without_towers(text: str) -> str:
    """`text` with no more combining marks in a row than the Stream-Safe Text Format (UAX #15) knows.

    Putting longer runs into canonical order costs quadratic time, and they only smear over the screen.
    """
    if len(text) <= _STREAM_SAFE or text.isascii():
        return text
    likely, certain = _towers()
    return likely.sub(lambda run: certain.sub(lambda tower: tower[0][:_STREAM_SAFE], run[0]), text)


@lru_cache(maxsize=1)
def _towers() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Runs of combining marks that are too long: what may be one, and what is.

    Beyond U+FFFF the engine compares with one range after the other, so the first pattern has only
    one for all the marks there, and scripts between them.
    """
    marks = [chr(code) for code in range(0x300, 0x20000) if unicodedata.combining(chr(code))]
    near, far = [mark for mark in marks if mark <= "\uffff"], [mark for mark in marks if mark > "\uffff"]
    likely, certain = f"{''.join(near)}{far[0]}-{far[-1]}", "".join(marks)
    return re.compile(f"[{likely}][{likely}]{{{_STREAM_SAFE},}}+"), re.compile(f"[{certain}]{{{_STREAM_SAFE + 1},}}+")
