"""The sender as a name and an address (RFC 5322 §3.4), out of whatever stands in a From field.

The field is split into mailboxes before anything is decoded, so that no encoded-word can smuggle in
a comma, a bracket or an address: only where no address stands outside of them is one looked for
within. An address in angle brackets is the sender; what looks like one beside it is part of the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.mail import charsets, plain, text, words
from bridge.mail.comments import COMMENT, QUOTED, QUOTED_TEXT, without_comments

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_NAME = 200
LONGEST_ADDRESS = 320
"""Characters: 64 octets of local part, @, 255 of domain (RFC 5321 §4.5.3.1)."""

_LONGEST_FIELD = 8_192
_SCHEME = b"mailto:"
_AT, _QUOTE = b"@"[0], b'"'[0]
"""Bytes as numbers: to ask whether bytes hold a number takes a tenth of the time."""
_QUOTED_TOKEN = rb'(?P<quoted>"' + QUOTED_TEXT + rb'")|'
_COMMENT_TOKEN = rb"(?P<comment>" + COMMENT + rb")|"
_OTHER_TOKEN = (
    rb"(?P<word>" + words.WORD + rb")"
    rb"|(?P<angle><[^<>]*+>?)"
    rb'|(?P<special>[(),:;>"])'
    rb"|(?P<space>\s+)"
    rb'|(?P<atom>(?:[^\s"<>(),:;=]++|=(?!\?))+|=)'
)
_TOKENS = {
    frozenset(lone): re.compile(b"".join(kinds) + _OTHER_TOKEN, re.DOTALL)
    for lone, kinds in (
        ((), (_QUOTED_TOKEN, _COMMENT_TOKEN)),
        ((b'"',), (_COMMENT_TOKEN,)),
        ((b"(",), (_QUOTED_TOKEN,)),
        ((b'"', b"("), ()),
    )
}
"""Behind a quote or a bracket that nothing closes no other is looked at: that would cost quadratic time."""
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_WHITE = re.compile(rb"(" + QUOTED + rb")|\s+", re.DOTALL)
"""White space, but for what a quoted local part holds (RFC 5322 §3.4.1)."""
_QUOTED_WHOLE = re.compile(rb'"' + QUOTED_TEXT + rb'"', re.DOTALL)
_BRACKETED = re.compile(rb"\[([^\[\]\s]+@[^\[\]\s]+)\]|\xef\xbc\x9c(.+)\xef\xbc\x9e")
"""An address in brackets of another kind."""
_ROUTE = re.compile(rb"@[^:<>]*+:")


@dataclass(slots=True)
class _Mailbox:
    """What has been read of one mailbox: words of the phrase, the angle address and whether it is still open, comments.

    `bare` is the phrase without encoded-words, in which no address can stand.
    """

    phrase: list[bytes] = field(default_factory=list)
    bare: list[bytes] = field(default_factory=list)
    angle: bytes | None = None
    ajar: bool = False
    comment: list[bytes] = field(default_factory=list)

    @property
    def addressed(self) -> bool:
        """Whether an address has been seen."""
        return self.angle is not None or _AT in b"".join(self.bare)

    def __bool__(self) -> bool:
        return self.angle is not None or bool(b"".join(self.phrase).strip())


def sender(raw: bytes, *, hint: str = "") -> tuple[str, str]:
    """Name and address of the first mailbox of a From field; each may be empty. Never raises.

    The address is in lower case: it is shown and compared, and nobody writes to it from here.
    `hint` is the charset to try for raw 8-bit names that are not UTF-8.
    """
    raw = raw[:_LONGEST_FIELD].strip()
    if not raw:
        return "", ""
    if simple := plain.mailbox(raw):
        return simple
    if _QUOTED_WHOLE.fullmatch(raw):
        raw = _ESCAPE.sub(rb"\1", raw[1:-1])
    phrase, address = _read(raw)
    if words.holds(raw) and _AT not in words.outside(raw):  # perhaps a whole mailbox in encoded-words
        within = words.decode(raw, hint=hint).encode("utf-8", "replace")
        if _AT in within and not words.holds(within):
            phrase, address = _read(within)
    name = text.identity(words.legible(words.decode(phrase, hint=hint)), limit=LONGEST_NAME)
    bare = "" if address.find(b"=?") >= 0 else charsets.sniff(address, hint=hint).lower()
    return _unquoted(name), text.identity(bare, limit=LONGEST_ADDRESS)


def _read(raw: bytes) -> tuple[bytes, bytes]:
    """Phrase and address of the first mailbox, raw."""
    mailboxes = _split(raw)
    return _parts(_first(mailboxes)) if mailboxes else (b"", b"")


def _split(raw: bytes) -> list[_Mailbox]:
    """The mailboxes of an address list; group names are left out."""
    found = [_Mailbox()]
    addressed = False
    for token in _tokens(raw):
        kind, value = token.lastgroup, token[0]
        current = found[-1]
        if value in (b",", b";"):
            found.append(_Mailbox())
        elif value == b":" and current.angle is None:
            found[-1] = _Mailbox()
        elif value == b"(" and (addressed or _AT not in raw[token.end() :]):
            current.comment.append(raw[token.end() :])  # it has no end; it would hide an address that is behind
            break
        elif kind == "comment":
            current.comment.append(_ESCAPE.sub(rb"\1", value[1:-1]))
        elif kind == "angle" and (current.angle is None or current.ajar or _AT not in current.angle):
            _open(current, value)
            addressed = True
        elif kind == "quoted":
            current.phrase.append(_ESCAPE.sub(rb"\1", value[1:-1]))
            current.bare.append(value)
        elif kind == "word":
            current.phrase.append(value)
            current.bare.append(b" ")
        elif kind in ("atom", "space"):
            current.phrase.append(value)
            current.bare.append(value)
            addressed = addressed or _AT in value
    return [mailbox for mailbox in found if mailbox]


def _open(mailbox: _Mailbox, value: bytes) -> None:
    """Take an angle address; one that was not closed before it is part of the name, unless it has the only address."""
    inner = value.strip(b"<>").strip()
    if mailbox.angle is not None:
        if _AT not in inner:
            return
        if not b"".join(mailbox.phrase).strip():
            mailbox.phrase.append(mailbox.angle)
    mailbox.angle, mailbox.ajar = inner, not value.endswith(b">")


def _tokens(raw: bytes) -> Iterator[re.Match[bytes]]:
    """The tokens of an address list; a quote that nothing closes is left out, and so are quotes behind it."""
    position = 0
    lone: frozenset[bytes] = frozenset()
    while token := _TOKENS[lone].match(raw, position):
        position = token.end()
        if token[0] in {b'"', b"("}:
            lone |= {token[0]}
        if token[0] != b'"':
            yield token


def _first(mailboxes: list[_Mailbox]) -> _Mailbox:
    """The first mailbox; a name with bare commas (`Doe, Jane <jane@…>`) counts as one."""
    first = mailboxes[0]
    if first.addressed:
        return first
    for number, mailbox in enumerate(mailboxes[1:4], start=1):
        if mailbox.angle is not None:
            joined = [b"".join(part.phrase).strip() for part in mailboxes[: number + 1]]
            return _Mailbox(phrase=[b", ".join(filter(None, joined))], angle=mailbox.angle)
        if mailbox.addressed:
            break
    return first


def _parts(mailbox: _Mailbox) -> tuple[bytes, bytes]:
    """Phrase and address of a mailbox, raw."""
    phrase = b"".join(mailbox.phrase).strip()
    comment = b"".join(mailbox.comment).strip()
    if mailbox.angle is not None:
        address = without_comments(_ROUTE.sub(b"", mailbox.angle, count=1))
        address = address[len(_SCHEME) :] if address[: len(_SCHEME)].lower() == _SCHEME else address
        return phrase or comment, _WHITE.sub(rb"\1", address)
    bare = b"".join(mailbox.bare).strip()
    candidates = [part for part in bare.split() if _AT in part]
    if bare.find(b"=?") >= 0 and not candidates:
        return phrase or comment, b""
    if not candidates:
        return (phrase or comment, b"") if len(phrase.split()) != 1 or not bare else (comment, bare)
    if candidates[0].strip(b"@") != candidates[0]:  # white space around the @ (RFC 5322 §4.4)
        return comment, b"".join(bare.split())
    if _QUOTE in candidates[0]:  # a quoted local part may hold spaces
        return comment, bare
    bracketed = _BRACKETED.fullmatch(candidates[0])
    address = (bracketed[1] or bracketed[2]) if bracketed else candidates[0]
    return phrase.replace(candidates[0], b"", 1).strip() or comment, address


def _unquoted(name: str) -> str:
    for quote in "\"'":
        if len(name) > 1 and name.startswith(quote) and name.endswith(quote):
            return name[1:-1].strip()
    return name
