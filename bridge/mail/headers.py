"""Header extraction: all that a device is told of a mail, out of its raw bytes.

Never raises, for any bytes; linear in their number, and bounded where a sender could make it dear.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TypeAlias

from bridge.mail import (
    bounce,
    content,
    dates,
    disguise,
    flags,
    invitation,
    mailbox,
    markup,
    mime,
    params,
    plain,
    snippet,
    text,
    words,
)
from bridge.mail.fields import READ, FieldReader, Fields
from bridge.model import Extract, Flag

LONGEST_SUBJECT = 500
"""Characters of a subject."""
LONGEST_MESSAGE_ID = 998
"""Bytes of a Message-ID: no line may be longer (RFC 5322 §2.1.1)."""

_LONGEST_SUBJECT_FIELD = 16_384
_LONGEST_PLAIN = 49_152
_LONGEST_HTML = 196_608
_LONGEST_ARMOUR = 256
_MOST_TEXTS = 4
_PGP_MESSAGE, _VERSION = b"-----BEGIN PGP MESSAGE-----", b"Version: 1"
_COLON = b":"[0]
_LIST_ID = re.compile(rb"<([^<>\s]{1,255})>\s*\Z|\A([^<>\s]{1,255})\Z")
Parts: TypeAlias = tuple[mime.Part, ...]
_PREFIX = re.compile(
    r"\s*(?:(?P<reply>re|aw|antw|antwort|sv|vs|odp|res|ynt|回复|回覆|答复)|(?P<forward>fwd?|wg|rv|vl|enc|tr|转发|轉寄))"
    r"\s?(?:\[\d{1,3}\])?\s?[:\uff1a]",
    re.IGNORECASE,
)


def extract(
    head: bytes,
    *,
    size: int,
    complete: bool = True,
    authserv_ids: frozenset[str] = frozenset(),
    spam_headers: tuple[str, ...] = (),
) -> Extract:
    """What a device is told of a message: sender, subject, snippet, flags, date; and what it is known by.

    `head` is the raw message, or its first bytes (256 KiB or more) when `complete` is False;
    `size` is the whole message's. Text is NFC and one line, names and addresses are without
    invisible characters. What cannot be read is empty, a date that is none or not sane is None.
    """
    top = _reader(spam_headers).read_message(head)
    kind = params.media_type(top.first("content-type"))
    walk = mime.walk(head, top=top, kind=kind)
    sent = _from(top)
    hint = _charset(kind, walk, sent + top.first("subject"))
    name, address = mailbox.sender(sent, hint=hint)
    subject = _subject(top, hint)
    report = bounce.read(head, top, walk)
    found = flags.of(
        top,
        kind,
        walk,
        report=report,
        sender=address,
        shown=content.shown(head, walk.parts),
        complete=complete and len(head) >= size,
        authserv_ids=authserv_ids,
        spam_headers=spam_headers,
    )
    inside = content.opened(head, walk.parts)
    if inside:
        head, walk = inside, mime.walk(inside)
        found = found & ~Flag.ENCRYPTED | Flag.SIGNED | flags.within(walk, shown=content.shown(head, walk.parts))
    readable = [part for part in walk.parts if part.inline_text]
    start = content.decoded(head, readable[0], limit=_LONGEST_ARMOUR).strip() if readable else b""
    if start.startswith(b"-----"):
        found |= _armour(start)
    sealed = [] if start and readable[0].index < _MOST_TEXTS else _sealed(head, walk)
    if sealed:
        found |= Flag.ENCRYPTED
        if flags.attached(walk.parts) == sealed:
            found &= ~Flag.ATTACHMENT
    return Extract(
        name,
        address,
        subject,
        (report.missed and _missed(report, found)) or _snippet(head, walk.parts, readable, found, subject),
        found,
        dates.epoch(top.first("date")),
        _message_id(top),
        _list_id(top),
        top.hops or len(top.all("received")),
    )


@lru_cache(maxsize=4)
def _reader(spam: tuple[str, ...]) -> FieldReader:
    """A reader of all that is looked at; its pattern costs more to make than to use."""
    return FieldReader((*READ.split(), *spam))


def _from(top: Fields) -> bytes:
    """The From field, or Sender where a broken client wrote only that."""
    if first := top.first("from"):
        return first
    return next((value for name in ("from", "sender") for value in top.all(name) if value), b"")


def _charset(kind: params.Parameterized, walk: mime.Walk, read: bytes) -> str:
    """The charset of raw 8-bit fields: the message's own or its first text's; "" where `read` does not need it."""
    if read.isascii() and read.find(b"=?") < 0:
        return ""
    return kind.text("charset") or next((part.charset for part in walk.parts if part.charset), "")


def _subject(top: Fields, hint: str) -> str:
    """The subject on one line, of several prefixes in a row only the first of a kind kept."""
    raw = top.first("subject")
    if len(raw) <= LONGEST_SUBJECT and _COLON not in raw and raw.find(b"=?") < 0:
        simple = plain.line(raw)
        if simple is not None:
            return simple
    decoded = words.decode(raw[:_LONGEST_SUBJECT_FIELD], hint=hint)
    subject = text.one_line(decoded, limit=LONGEST_SUBJECT, more=len(raw) > _LONGEST_SUBJECT_FIELD)
    kept: list[str] = []
    kinds: list[str | None] = []
    position = 0
    while (prefix := _PREFIX.match(subject, position)) and len(kinds) < 50:
        if prefix.lastgroup not in kinds:
            kept.append(prefix[0].strip())
        kinds.append(prefix.lastgroup)
        position = prefix.end()
    if len(kept) == len(kinds):
        return subject
    return " ".join([*kept, subject[position:].strip()]).strip()


def _armour(start: bytes) -> Flag:
    """Text that is PGP in itself (RFC 9580 §6.2), without MIME saying so, by its first bytes."""
    if start.startswith(_PGP_MESSAGE):
        return Flag.ENCRYPTED
    return Flag.SIGNED if start.startswith(b"-----BEGIN PGP SIGNED MESSAGE-----") else Flag(0)


def _sealed(head: bytes, walk: mime.Walk) -> list[mime.Part]:
    """Files that are PGP, in a mail without any text: PGP/MIME of which a server on the way has changed all types."""

    def start(part: mime.Part) -> bytes:
        return content.decoded(head, part, limit=_LONGEST_ARMOUR).strip()

    if any(start(part) for part in walk.parts[:_MOST_TEXTS] if part.inline_text):
        return []
    files = [
        part for part in flags.attached(walk.parts)[:_MOST_TEXTS] if start(part).startswith((_PGP_MESSAGE, _VERSION))
    ]
    return files if any(start(part).startswith(_PGP_MESSAGE) for part in files) else []


def _message_id(top: Fields) -> str:
    raw = top.first("message-id")[:LONGEST_MESSAGE_ID]
    if (simple := plain.line(raw)) is not None:
        return simple
    return text.one_line(raw.decode("utf-8", "replace"), limit=LONGEST_MESSAGE_ID)


def _list_id(top: Fields) -> str:
    """The id of the mailing list, with or without its brackets (RFC 2919 §3); empty when there is none."""
    if "list-id" not in top.values:
        return ""
    match = _LIST_ID.search(top.first("list-id"))
    return (match[1] or match[2]).decode("ascii", "replace").lower() if match else ""


def _missed(report: bounce.Report, found: Flag) -> str:
    """For a bounce: who was missed, and why."""
    return text.prose(report.described(), limit=snippet.LONGEST) if Flag.BOUNCE in found else ""


def _snippet(head: bytes, parts: Parts, readable: list[mime.Part], found: Flag, subject: str) -> str:
    """The event of an invitation, else what the first text says, else what there is instead of text."""
    for part in parts:
        if flags.invites(part):
            said = invitation.describe(content.decoded(head, part, limit=invitation.LONGEST), part.charset)
            if said:
                return text.prose(said, limit=snippet.LONGEST)
    said = _words(head, readable, subject)
    if said or (Flag.ENCRYPTED in found and Flag.ATTACHMENT not in found):
        return said
    return _without_text(head, parts)


def _words(head: bytes, readable: list[mime.Part], subject: str) -> str:
    """What the texts say, plain ones first; else what the page's pictures say; else where a link leads."""
    html = [part for part in readable if part.page]
    others = [part for part in readable if not part.page] if html else readable
    bodies: list[str] = []
    for part in content.in_turn(head, [*others[:_MOST_TEXTS], *html[:1]]):
        bodies.append(_lines(head, part))
        said = snippet.make(bodies[-1], subject=subject, page=partial(_marked, head, part, html[0]) if html else None)
        if said:
            return said
    for part in html[:1]:
        pictures = markup.with_pictures(content.decoded_text(head, part, limit=_LONGEST_HTML))
        said = snippet.make(pictures, subject=subject)
        if said:
            return said
    return next(filter(None, (snippet.instead(body, subject=subject) for body in bodies)), "")


def _lines(head: bytes, part: mime.Part) -> str:
    if not part.page:
        said = content.decoded_text(head, part, limit=_LONGEST_PLAIN)
        if part.end - part.start > _LONGEST_PLAIN:
            said = text.cut(said)
        return disguise.revealed(said)
    return markup.own(content.decoded_text(head, part, limit=_LONGEST_HTML))


def _marked(head: bytes, part: mime.Part, page: mime.Part) -> str:
    """What says the same as a part, as a page that says where it quotes; "" when there is none."""
    if page is part or not page.alternative == part.alternative != 0:
        return ""
    source = content.decoded_text(head, page, limit=_LONGEST_HTML)
    return markup.own(source) if markup.tells_quotes(source) else ""


def _without_text(head: bytes, parts: Parts) -> str:
    """For a mail without words: its event, the subject of what it forwards, or the names of its files."""
    for part in parts[:_MOST_TEXTS]:
        if part.content_type in {"text/calendar", "application/ics"}:
            said = invitation.describe(content.decoded(head, part, limit=invitation.LONGEST), part.charset)
            if said:
                return text.prose(said, limit=snippet.LONGEST)
    for part in parts[:_MOST_TEXTS]:
        if part.content_type == "message/rfc822":
            enclosed = content.decoded(head, part, limit=_LONGEST_PLAIN)
            subject = _subject(_reader(()).read_message(enclosed), part.charset)
            if subject:
                return text.prose(subject, limit=snippet.LONGEST)
    names = [part.file_name for part in flags.attached(parts[:10]) if part.file_name]
    return text.prose(", ".join(names), limit=snippet.LONGEST)
