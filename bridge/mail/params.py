"""Content-Type and Content-Disposition: a lower-case value with its parameters (RFC 2045, RFC 2231)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote_to_bytes

from bridge.mail import charsets, mediatypes, plain, words
from bridge.mail.comments import QUOTED_TEXT, without_comments

_LONGEST_FIELD = 16_384
_LONGEST_TEXT = 2_400
"""Bytes of one parameter that are decoded: 200 characters of four bytes, each written as %F0."""
_MOST_PARAMETERS = 48
"""Parameters and sections of parameters of one field: that many lines of 50 characters make a name of 2,400 bytes."""
_LONGEST_KNOWN, _MOST_KNOWN = 64, 512
"""Bytes and number of the values that are not read again: `text/plain; charset=utf-8`, `attachment`, `7bit`."""
_PARAMETER = re.compile(
    rb';\s*([^\s=;"]{1,64}+)\s*=\s*(?:"(' + QUOTED_TEXT + rb')"?|([^;]*+))|"' + QUOTED_TEXT + rb'"?', re.DOTALL
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*?)")


@dataclass(frozen=True, slots=True)
class Parameterized:
    """A value such as `text/plain` or `attachment`, and its parameters as raw bytes by name.

    Parameters that were sent in sections or with a charset (RFC 2231) are in `decoded` instead.
    """

    value: str
    raw: dict[str, bytes] = field(default_factory=dict)
    decoded: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, *, hint: str = "") -> str:
        """A parameter as text, encoded-words decoded as too many senders use them; "" without it."""
        if name in self.decoded:
            return self.decoded[name]
        raw = self.raw.get(name)
        return words.decode(raw[:_LONGEST_TEXT], hint=hint) if raw else ""


def parse(raw: bytes) -> Parameterized:
    """A structured field value; whatever cannot be read of it is left out. Never raises."""
    return _parsed(raw) if len(raw) <= _LONGEST_KNOWN else _parse(raw)


@lru_cache(maxsize=_MOST_KNOWN)
def _parsed(raw: bytes) -> Parameterized:
    return _parse(raw)


def _parse(raw: bytes) -> Parameterized:
    if simple := plain.structured(raw):
        return Parameterized(*simple)
    raw = without_comments(raw[:_LONGEST_FIELD])
    value, semicolon, _ = raw.partition(b";")
    return _with_parameters(_plain(value), raw if semicolon else b"")


def media_type(raw: bytes) -> Parameterized:
    """The value of a Content-Type; one that is misspelt as it was meant, "" where it cannot be read. Never raises."""
    return _known_type(raw) if len(raw) <= _LONGEST_KNOWN else _type(raw)


@lru_cache(maxsize=_MOST_KNOWN)
def _known_type(raw: bytes) -> Parameterized:
    return _type(raw)


def _type(raw: bytes) -> Parameterized:
    if (simple := plain.structured(raw)) and "/" in simple[0]:
        return Parameterized(*simple)
    return _with_parameters(*mediatypes.split(without_comments(raw[:_LONGEST_FIELD])))


def _with_parameters(value: str, raw: bytes) -> Parameterized:
    plain: dict[str, bytes] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for match in islice(_PARAMETER.finditer(raw), _MOST_PARAMETERS):
        if match[1] is None:
            continue
        quoted, token = match[2], match[3]
        content = _ESCAPE.sub(rb"\1", quoted) if quoted is not None else token.strip()
        name = _SECTION.fullmatch(match[1].decode("ascii", "replace").lower())
        if name is None:
            continue
        if name[2] is None and not name[3]:
            plain.setdefault(name[1], content)
        else:
            sections.setdefault(name[1], {})[int(name[2] or 0)] = (content, bool(name[3]))
    return Parameterized(value, plain, {name: _joined(several) for name, several in sections.items()})


def _plain(value: bytes) -> str:
    return b"".join(value.split()).decode("ascii", "replace").lower()


def _joined(sections: dict[int, tuple[bytes, bool]]) -> str:
    """Continuations in order (RFC 2231 §3), percent-decoded by the charset of the first (§4)."""
    charset = ""
    pieces: list[bytes] = []
    room = _LONGEST_TEXT
    for number, (content, extended) in sorted(sections.items()):
        value = content
        if extended and number == 0 and content.count(b"'") >= 2:
            declared, _, value = content.split(b"'", 2)
            charset = declared.decode("ascii", "replace")
        value, room = value[:room], room - len(value)
        pieces.append(unquote_to_bytes(value) if extended else value)
        if room <= 0:
            break
    return charsets.decode(b"".join(pieces), charset)
