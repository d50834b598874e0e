"""The first words of a mail, as the person who wrote it would give them.

Left out is what programs add: notes about browsers, padding behind preheaders, quoted messages,
signatures, tracking links. A one-time code goes first. Pure text work, linear, on a bounded start
of the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import graphemes
from bridge.mail import codes, links, prose, text
from bridge.mail.boilerplate import is_noise, names_device
from bridge.mail.quotes import lines
from bridge.mail.quotes.attribution import MOST_LINES
from bridge.mail.quotes.introductions import Introductions, announces, answers, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.mail.quotes.introductions import Introduction
    from bridge.mail.quotes.lines import Line

LONGEST = 200
"""Characters of a snippet."""

_SEARCHED = 16_384
_ENOUGH = 300
_DEEPEST = 8
_FEW = 8
_SURE = 12
"""Letters of a quote that nobody begins with by chance."""
_LONGEST_GREETING = 40
_COMMAS = ",،、，՝"
_LIST_RULE = 20


def make(body: str, *, subject: str = "", page: Callable[[], str] | None = None) -> str:
    """One line of at most 200 characters for a body in lines; "" when nobody wrote anything in it.

    A one-time code in subject or body stands first; a first line that only repeats the subject is
    left out. `page` gives the same message as a page that marks its quotes, or "": what is its author's
    own there is so in the body, too.
    """
    body = body if len(body) <= _SEARCHED else text.cut(body[:_SEARCHED])
    lead = _lead(body, subject)
    if lead and page and (marked := page()):
        lead = _as_marked(lead, body, marked[:_SEARCHED], subject)
    return _line(lead, body, subject)


def _as_marked(lead: str, body: str, page: str, subject: str) -> str:
    """What a body says whose page marks its quotes: what is said there, or at most what stands before the quote."""
    marked = _lead(page, subject)
    sure, said = _letters(marked)[:LONGEST], _letters(lead)[:LONGEST]
    if not sure or sure == said:
        return lead
    if sure in _letters(body):
        return marked
    quoted = _letters(" ".join(line.text for line in lines.marked(lines.read(page))))[:_SURE]
    at = said.find(quoted) if len(quoted) == _SURE else -1
    return _start(lead, at) if at > 0 else lead


def _start(text: str, letters: int) -> str:
    """The start of a text to behind so many letters, and the signs that stand right behind them."""
    for at, sign in enumerate(text):
        letters -= sign.isalnum()
        if letters < 0 or (not letters and sign.isspace()):
            return text[:at].rstrip()
    return text


def instead(body: str, *, subject: str = "") -> str:
    """For a body without words of its own: its subject if it repeats it, where its first link leads, or what it has.

    What was taken for somebody else's header is shown after all, in a mail that answers and forwards nothing.
    """
    body = body[:_SEARCHED]
    if subject and body.strip() == subject:
        return _line(subject, body, subject)
    link = links.URL.search(body)
    if link or answers(subject) or _encrypted(body):
        return _line(link[1] if link else "", body, subject)
    return _line(_Reading(lines.read(body), subject, introduced=False).own(), body, subject)


def _letters(said: str) -> str:
    return "".join(filter(str.isalnum, said))


def _line(lead: str, body: str, subject: str) -> str:
    line = text.prose(lead, limit=LONGEST * 2)
    code = codes.find(subject, line, body)
    if code and not line.startswith(code):
        line = f"{code} · {line}".rstrip(" ·")
    return graphemes.clip(line, LONGEST)


def _lead(body: str, subject: str) -> str:
    """What is written above, below or instead of quotes and boilerplate, in one string.

    Where all of it is quoted, the same of the quoted message.
    """
    if _encrypted(body):
        return ""
    rows = lines.read(body)
    said = _Reading(rows, subject).own()
    for _ in range(_DEEPEST):
        if said:
            break
        rows = lines.unquoted(rows)
        if not rows:
            break
        said = _Reading(rows, subject, forwarded=True).own()
    return said


def _encrypted(body: str) -> bool:
    return body.lstrip().startswith("-----BEGIN PGP MESSAGE-----")


class _Reading:
    """One way through the lines of a body, from quote to quote.

    `forwarded` says that all of them were quoted; without `introduced` nothing is taken for an introduction.
    """

    def __init__(self, rows: Sequence[Line], subject: str, *, forwarded: bool = False, introduced: bool = True) -> None:
        self._rows = rows
        self._subject = subject
        self._forwarded = forwarded
        self._introduced = introduced
        self._introductions: Introductions | None = None
        self._answer = False
        self._kept: list[str] = []
        self._length = 0

    def own(self) -> str:
        """What is nobody else's, from the first line of it that says something."""
        position, signed, quoted, announced = self._plain(), False, False, False
        if position < len(self._rows) and self._length <= _ENOUGH:
            self._look()
        while position < len(self._rows) and self._length <= _ENOUGH:
            introduction = self._introduction(position)
            if introduction and not (introduction.weak and self._kept and not self._answer):
                if self._kept and not (introduction.weak or (introduction.attributes and self._greets())):
                    break
                signed, quoted, announced = False, introduction.attributes, not introduction.attributes
                if introduction.rest:
                    self._keep(introduction.rest)
                position = introduction.end
                continue
            row = self._rows[position]
            quoted = quoted and (row.loose or not row.text)
            if row.signed or _ends(row.text, self._text(position + 1)):
                if self._kept:
                    break
                signed = True
            if not (
                signed or row.depth or quoted or (announced and self._goes_on(position)) or self._names_device(position)
            ):
                self._keep(row.shown)
            position += 1
        return " ".join(self._kept)

    def _look(self) -> None:
        """Get ready for lines of which each has to be looked at."""
        self._rows = lines.known(self._rows)
        self._answer = answers(self._subject)
        if self._introduced:
            self._introductions = Introductions(self._rows, self._subject, forwarded=self._forwarded)

    def _plain(self) -> int:
        """Keep the first lines as far as each is its author's at a glance; the position of the first that may not be.

        The long way would do nothing with each of them but to keep it, or to leave it out as noise.
        """
        pieces = lines.pieces(self._rows)
        self._kept, below = prose.begun(pieces, _ENOUGH, self._subject)
        self._length, count = sum(map(len, self._kept)), len(pieces)
        for position in range(below, count):
            if self._length > _ENOUGH:
                return position
            piece = pieces[position]
            below = max(below, position)
            while below < count and below < position + MOST_LINES and (below == position or pieces[below - 1].strip()):
                if not quiet(pieces[below].strip()):
                    return position
                below += 1
            text = piece.strip()
            if not text:
                continue
            starts = position == 0 or not pieces[position - 1].strip()
            if announces(text) or (starts and names_device(text)):
                return position
            self._keep(text)
        return count

    def _introduction(self, position: int) -> Introduction | None:
        return self._introductions.at(position) if self._introductions else None

    def _keep(self, line: str) -> None:
        """Keep what a line says, unless a program or the subject says it as well."""
        if (not self._kept and line == self._subject) or is_noise(lines.seen(line)):
            return
        shown = links.bare(links.without(line))
        if shown and not (shown != line and is_noise(shown.strip(" :()[]<>"))):
            self._kept.append(shown)
            self._length += len(shown)

    def _goes_on(self, position: int) -> bool:
        """Whether a line stands between quoted ones, and is no answer: in what is forwarded nobody answers."""
        return self._depth(position - 1) > 0 and self._depth(position + 1) > 0

    def _greets(self) -> bool:
        """Whether nothing was said but a greeting, so that the answer may stand below the quote."""
        return len(self._kept) == 1 and len(self._kept[0]) <= _LONGEST_GREETING and self._kept[0][-1] in _COMMAS

    def _names_device(self, position: int) -> bool:
        """Whether the own text ends here with what it was written on: a paragraph that names a device."""
        if (position and self._text(position - 1)) or not names_device(self._rows[position].text):
            return False
        for at in range(position + 1, min(position + _FEW, len(self._rows))):
            if self._introduction(at) or self._rows[at].depth or _ends(self._rows[at].text, self._text(at + 1)):
                return True
            if self._rows[at].text and not is_noise(self._rows[at].text):
                return False
        return bool(self._kept)

    def _depth(self, position: int) -> int:
        return self._rows[position].depth if 0 <= position < len(self._rows) else 0

    def _text(self, position: int) -> str:
        return self._rows[position].text if position < len(self._rows) else ""


def _ends(line: str, following: str) -> bool:
    """Whether a signature begins here (RFC 3676 §4.3), of a person, of PGP or of a mailing list."""
    if len(line) >= _LIST_RULE and not line.strip("_") and "mailing list" in following[:LONGEST].lower():
        return True
    return line == "--" or line.startswith("-----BEGIN PGP SIGNATURE")
