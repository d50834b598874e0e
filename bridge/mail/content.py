"""What a part holds: its body decoded, as bytes or as text; and the text of a whole message.

Nothing here raises, and all of it is linear in the length of what is decoded.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bridge.mail import charsets, cms, disguise, flowed, markup, mime, text, words

if TYPE_CHECKING:
    from bridge.mail.mime import Part, Raw

LONGEST_TEXT = 262_144
"""Characters of readable text that are made of one message at most."""

_LONGEST_ENCODED = 2 * LONGEST_TEXT
_LONGEST_MARKUP = 131_072
_MOST_DOUBTFUL = 4
_DOUBTED = 49_152
_MOST_PAGES = 2
_PAIR = 2
PKCS7 = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
"""S/MIME in one part (RFC 8551 §3.2)."""
_SHOWS = re.compile(r"(?:\bcid:|\bsrc\s?=\s?[\"']?(?:cid:)?)([^\"'\s<>)]{1,300})", re.IGNORECASE)
_PADDING = re.compile(rb"=+")
_MOST_PADDINGS = 1_000


def decoded(raw: Raw, part: Part, *, limit: int | None = None) -> bytes:
    """The decoded body of a part; with `limit`, of its first so many encoded bytes. Never raises."""
    end = part.end if limit is None else min(part.end, part.start + limit)
    body = raw[part.start : end]
    if part.encoding == "base64":
        return b"".join(words.base64_bytes(piece) for piece in _PADDING.split(body, _MOST_PADDINGS))
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    return body


def decoded_text(raw: Raw, part: Part, *, limit: int) -> str:
    """A text part as text, in its charset; HTML stays HTML. `limit` is in encoded bytes."""
    body = decoded(raw, part, limit=limit)
    if part.page:
        return markup.decode(body, part.charset)
    said = charsets.decode(body, part.charset)
    return flowed.joined(said) if part.joins_lines else said


def readable_text(raw: Raw) -> str:
    """The whole body as lines of text, at most its first 262,144 characters; what is cut ends in `…`.

    Text parts that follow one another are joined; of alternatives the plain one is taken, unless it
    is empty. Attachments are left out. Never raises.
    """
    pieces: list[str] = []
    spoken: set[int] = set()
    room = LONGEST_TEXT
    parts = mime.parts(raw)
    inside = opened(raw, parts)
    if inside:
        raw, parts = inside, mime.parts(inside)
    for part in in_turn(raw, [part for part in parts if part.inline_text]):
        if room <= 0:
            break
        if part.alternative and part.alternative in spoken:
            continue
        said = decoded_text(raw, part, limit=_LONGEST_ENCODED)
        said = markup.plain(said, limit=_LONGEST_MARKUP) if part.page else disguise.revealed(said)
        said = text.paragraphs(said, limit=room, more=part.end - part.start > _LONGEST_ENCODED)
        if said.strip():
            spoken.add(part.alternative)
            pieces.append(said)
            room -= len(said)
    return "\n\n".join(pieces)


def shown(raw: Raw, parts: tuple[Part, ...]) -> frozenset[str]:
    """The ids of the pictures that pages show themselves; looked for only where there is a picture that has one."""
    named = {part.content_id for part in parts if part.content_id and part.content_type.startswith("image/")}
    if not named:
        return frozenset()
    pages = [part for part in parts if part.page and part.inline_text][:_MOST_PAGES]
    said = (decoded_text(raw, page, limit=LONGEST_TEXT) for page in pages)
    return frozenset(unquote(match[1]).lower() for page in said for match in _SHOWS.finditer(page)) & named


def opened(raw: Raw, parts: tuple[Part, ...]) -> bytes:
    """The message within one that is signed and opaque (RFC 8551 §3.5.2); b"" when there is none.

    With the default limits what is longer is read from its start.
    """
    if len(parts) != 1 or parts[0].content_type not in PKCS7:
        return b""
    return cms.signed_content(decoded(raw, parts[0], limit=_LONGEST_ENCODED))


def in_turn(raw: Raw, parts: list[Part]) -> list[Part]:
    """Text parts in the order in which they are asked: plain ones, pages, and what is markup though a page says it too.

    That is told of the first four plain parts that have a page beside them.
    """
    if len(parts) < _PAIR:
        return parts
    pages = [part for part in parts if part.page]
    beside = {page.alternative for page in pages} - {0}
    doubtful = [part for part in parts if part.alternative in beside and not part.page][:_MOST_DOUBTFUL]
    late = [part for part in doubtful if disguise.disguised(decoded_text(raw, part, limit=_DOUBTED))]
    return [*(part for part in parts if not part.page and part not in late), *pages, *late]
