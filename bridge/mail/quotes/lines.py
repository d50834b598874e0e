"""The lines of a body: what stands on them, how deep in quotes, and where a page says that a quote begins.

A page tells that by what mail programs put around a quote; `bridge.mail.markup` leaves a mark of its own
in the text for it, one of the code points that Unicode keeps for such a use. In plain text it is the `>` before a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from typing import TYPE_CHECKING, overload

from bridge import graphemes

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN, LOOSE, END, HERE, SIGNED = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3", "\ufdd4"
"""Marks in a page's text: a quote, what is indented and may be one, their ends; a quote till the end; a signature."""
MARKS = f"{BEGIN}-{SIGNED}"
"""All of them, as a class of a pattern."""

_MOST_LINES = 1_000
_FEW = 24
_DEEPEST = 50
_MARK = re.compile(f"[{MARKS}]")
_QUOTED = re.compile(r"(?:\|?>[ \u00a0]?){1,50}")
_TAIL_OF_ADDRESS = re.compile(r">\s?[:\uff1a]")
_CELL = re.compile(r"[^\t@:\uff1a]{1,40}[:\uff1a]\s{0,4}\t")
_COLUMNS = re.compile(r"\|\s{0,4}([^|>\s][^|]{0,40}?)\s{0,4}\|\s{0,4}([^|]{1,300}?)\s{0,4}\|?")
UNSEEN = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""What nobody sees, as a class of a pattern."""

_UNSEEN = re.compile(f"[{UNSEEN}]")


@dataclass(slots=True)  # that it were frozen would cost three times as much, for each line of each mail
class Line:
    """One line, which nobody changes: as it is shown, and as it is judged, without what nobody sees.

    `depth` counts the quotes around it; `loose` says that it is indented by a page without a word that it quotes,
    `mark` that a page says here where its quote begins, `signed` that it says the same of the signature.
    """

    shown: str
    text: str
    depth: int = 0
    loose: bool = False
    mark: bool = False
    signed: bool = False


class _Unmarked(Sequence[Line]):
    """The lines of a text that no page was: each is read when somebody comes to it."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces
        self._read: dict[int, Line] = {}

    def __len__(self) -> int:
        return len(self.pieces)

    def __iter__(self) -> Iterator[Line]:
        return (self[at] for at in range(len(self.pieces)))

    @overload
    def __getitem__(self, at: int) -> Line: ...

    @overload
    def __getitem__(self, at: slice) -> list[Line]: ...

    def __getitem__(self, at: int | slice) -> Line | list[Line]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self.pieces)))]
        found = self._read.get(at)
        if found is None:
            found = self._read[at] = _line(self.pieces[at].strip(), [])
        return found


def read(body: str) -> Sequence[Line]:
    """The lines of a body: of many only one empty line in a row, and of those the first 1,000."""
    marked = not body.isascii() and _MARK.search(body) is not None
    pieces = list(_split(body)) if marked or "\t" in body else body.split("\n")
    if len(pieces) > _MOST_LINES:
        pieces = [piece.strip() for piece in pieces]
        pieces = [piece for piece, before in zip(pieces, ["", *pieces], strict=False) if piece or before]
    if len(pieces) > _MOST_LINES:
        pieces = [*pieces[: _MOST_LINES - 1], pieces[_MOST_LINES - 1] + graphemes.ELLIPSIS]
    return list(_lines([piece.strip() for piece in pieces])) if marked else _Unmarked(pieces)


def pieces(lines: Sequence[Line]) -> Sequence[str]:
    """The lines of a text that no page was, as they stand there, if nobody has looked at what stands on them."""
    return lines.pieces if isinstance(lines, _Unmarked) else ()


def known(lines: Sequence[Line]) -> Sequence[Line]:
    """The same lines, to be come to many times: of a few each is read at once."""
    return list(lines) if len(lines) <= _FEW else lines


def unquoted(lines: Sequence[Line]) -> list[Line]:
    """What was quoted, one level up; the lines around it are gone.

    A line between two quoted ones stays: a program has broken a long line and forgot the sign before its rest.
    """
    depths = [0, *(line.depth for line in lines), 0]
    return [
        replace(line, depth=max(line.depth - 1, 0))
        for line, before, after in zip(lines, depths, depths[2:], strict=False)
        if line.depth or (line.text and before and after)
    ]


def marked(lines: Sequence[Line]) -> list[Line]:
    """The lines from the first on that a page marks as quoted."""
    return list(dropwhile(lambda line: not (line.mark or line.depth), lines))


def seen(line: str) -> str:
    """A line as it is judged: stripped, without what nobody sees."""
    return line.strip() if line.isascii() else _UNSEEN.sub("", line).strip()


def _split(body: str) -> Iterator[str]:
    """Lines, cells of a row and marks, each by itself; but a label stays with the cell beside it."""
    for line in _MARK.sub(r"\n\g<0>\n", body).split("\n"):
        if "\t" not in line:
            yield line
            continue
        cell = _CELL.match(line.lstrip())
        if cell:
            yield line.lstrip().replace("\t", " ")
        else:
            yield from line.split("\t")


def _lines(pieces: list[str]) -> Iterator[Line]:
    around: list[str] = []
    for piece in pieces:
        if piece == HERE:
            yield Line("", "", around.count(BEGIN), mark=True)
        elif piece == SIGNED:
            yield Line("", "", around.count(BEGIN), signed=True)
        elif piece in {BEGIN, LOOSE}:
            around.append(piece)
        elif piece == END:
            if around:
                around.pop()
        else:
            yield _line(piece, around)


def _line(piece: str, around: list[str]) -> Line:
    text = seen(piece)
    depth = around.count(BEGIN) if around else 0
    quoted = _QUOTED.match(text) if text[:1] in {">", "|"} and not _TAIL_OF_ADDRESS.fullmatch(text) else None
    if quoted:
        text = text[quoted.end() :].strip()
        return Line(text, text, min(depth + quoted[0].count(">"), _DEEPEST))
    if text[:1] == "|" and (columns := _COLUMNS.fullmatch(text)):
        text = f"{columns[1]}: {columns[2]}"
    return Line(piece, text, min(depth, _DEEPEST), loose=bool(around) and around[-1] == LOOSE)
