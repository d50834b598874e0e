"""Header blocks: what programs copy of a mail's header above its text, whatever they call the fields.

Three or more lines `label: value`, of which one value has an address and one a date; folded values included.
Without an address it is prose, such as an itinerary from one town to another, unless something else says that
it is a header: a stroke or an announcement above, or the mail's own subject among the values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.mail.quotes import signs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.mail.quotes.lines import Line

_MOST_FIELDS = 16
_MOST_FOLDS = 2
_MOST_BEFORE_SUBJECT = 3
"""A journey to the town that is the mail's subject has it earlier than a header without addresses has its own."""
_LONGEST = 1_500
_LONGEST_FOLD = 300
_FIELDS_IN_A_ROW = re.compile(rf"[^\s\d<>()\[\]{signs.COLONS}.,;/\"'_-]\s?[{signs.COLONS}](?!\d|//)")
_MAILTO = re.compile(r"[<\[]?mailto:", re.IGNORECASE)


@dataclass(slots=True)
class _Fields:
    """The values that were read so far, and what the whole must be more than a list of labels for."""

    subject: str
    announced: bool
    sure: bool
    answer: bool
    values: list[str] = field(default_factory=list)

    def header(self) -> bool:
        """Whether they are the header of a mail, from the first on."""
        if not self._header(self.values):
            return False
        first = self.values[0]
        late = not (self.announced or _telling(first) or self._same(first))
        return not (late and signs.address(self.values[1]) and self._header(self.values[1:]))

    def _header(self, values: Sequence[str]) -> bool:
        count = len(values)
        with_address = sum(map(signs.address, values))
        with_date = any(map(_dated if self.announced else signs.dated, values))
        if count < 3:
            return count == 2 and self.announced and bool(with_address or with_date)
        if self.sure:
            return True
        if not with_address:
            return with_date and (self.announced or any(map(self._same, values[_MOST_BEFORE_SUBJECT:])))
        if not with_date:
            return self.announced or (count > 3 and signs.mailbox(values[0]))
        told = self.announced or with_address > 1 or (self.answer and signs.address(values[0]))
        return told or any(map(signs.mailbox, values)) or any(map(self._same, values))

    def _same(self, value: str) -> bool:
        """Whether a value is the mail's own subject, perhaps with what a server puts before it."""
        return bool(self.subject) and value.casefold().endswith(self.subject)

    def complete(self) -> bool:
        """Whether nothing is missing, so that what follows must look like a value to be one."""
        return len(self.values) > 2 and any(map(signs.address, self.values)) and any(map(_dated, self.values))


def starting_at(
    lines: Sequence[Line], start: int, *, subject: str, announced: bool, sure: bool, answer: bool
) -> tuple[bool, int]:
    """Whether the labelled lines that start here are a header block, and behind the last of them.

    `subject` is the mail's own without prefixes, `announced` that a stroke or the like stands above, `sure` that
    there is no doubt of it, `answer` that the mail is a reply or forwards something.
    """
    fields = _Fields(subject, announced=announced, sure=sure, answer=answer)
    position, end, spaced = start, 0, False
    while position < len(lines) and len(fields.values) < _MOST_FIELDS:
        line = lines[position]
        if line.depth or line.mark or len(line.text) > _LONGEST:
            break
        pair = signs.labelled(line.text) if line.text else None
        if pair:
            if spaced and end == position and not sure:
                return False, start + 1
            position, value = _folded(lines, position, pair[1], fields)
            if not (value or fields.values):
                return False, position
            fields.values.append(value)
            end = position
        elif not line.text and fields.values and (spaced or sure or len(fields.values) == 1):
            spaced = True
            position += 1
        else:
            break
    return fields.header(), end


def on_one_line(text: str, *, subject: str, announced: bool) -> tuple[bool, str]:
    """Whether a line is a whole header block run together, and what follows the subject in it."""
    if "@" not in text or len(text) > _LONGEST:
        return False, ""
    bare = signs.behind_ruled(text)
    head = text if bare is None else bare
    announced = announced or bare is not None
    if not signs.labelled(head) or not _dated(head):
        return False, ""
    fields = len(_FIELDS_IN_A_ROW.findall(_MAILTO.sub("", head)))
    if fields < 3 or not (announced or (fields > 3 and signs.addresses(head) > 1)):
        return False, ""
    folded = head.casefold()
    at = folded.find(subject, folded.rfind("@")) if subject and len(folded) == len(head) else -1
    return True, head[at + len(subject) :].strip() if at >= 0 else ""


def _folded(lines: Sequence[Line], position: int, value: str, fields: _Fields) -> tuple[int, str]:
    """Behind the lines that carry a value on, and all of it: what stands before another field, or must belong to it."""
    position += 1
    if not value:
        at = _below(lines, position)
        if at < len(lines) and _plain(lines[at]):
            behind = _below(lines, at + 1)
            text = lines[at].text
            if _telling(text) or (behind < len(lines) and signs.labelled(lines[behind].text)):
                position, value = at + 1, text
    for folds in range(_MOST_FOLDS):
        if position >= len(lines) or not _plain(lines[position]):
            break
        text = lines[position].text
        if not (_open(value) and signs.address(text)):
            ahead = _label_ahead(lines, position + 1, _MOST_FOLDS - folds)
            if not ahead or (fields.complete() and not _header_like(lines[ahead].text)):
                break
        value = f"{value} {text}"
        position += 1
    return position, value


def _below(lines: Sequence[Line], position: int) -> int:
    """The next line that is not empty, at most two further down."""
    end = min(position + _MOST_FOLDS, len(lines))
    return next((at for at in range(position, end) if lines[at].text or lines[at].mark), end)


def _label_ahead(lines: Sequence[Line], position: int, most: int) -> int:
    """The next line with a label, behind less than so many lines that carry a value on; 0 when there is none."""
    for at in range(position, min(position + most, len(lines))):
        if signs.labelled(lines[at].text):
            return at
        if not _plain(lines[at]):
            break
    return 0


def _plain(line: Line) -> bool:
    return bool(line.text) and not line.depth and len(line.text) <= _LONGEST_FOLD and signs.labelled(line.text) is None


def _open(value: str) -> bool:
    """Whether a value cannot end here: a list goes on, or a name or an opened bracket waits for its address."""
    return not signs.address(value) or value[-1:] in {",", ";"} or value.rfind("<") > value.rfind(">")


def _header_like(text: str) -> bool:
    pair = signs.labelled(text)
    return pair is not None and (not pair[1] or _telling(pair[1]))


def _telling(value: str) -> bool:
    return signs.address(value) or _dated(value)


def _dated(value: str) -> bool:
    return signs.dated(value) or signs.timed(value)


_PREFIXES = re.compile(rf"\s*(?:[^\W\d_][^\W\d_.\-]{{0,8}}\.?(?:\[\d{{1,3}}\])?\s?[{signs.COLONS}]\s*){{1,8}}")


def without_prefixes(subject: str) -> str:
    """A subject without `Re:`, `Fwd:` and their like in other languages."""
    prefix = _PREFIXES.match(subject)
    return subject[prefix.end() :].strip(" *") if prefix else subject.strip(" *")
