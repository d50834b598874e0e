"""What the fields of a part say of it: its type, its name, its encoding (RFC 2045, RFC 2183)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

from bridge.mail import params, text

if TYPE_CHECKING:
    from bridge.mail.fields import Fields

LONGEST_NAME = 200
_LONGEST_KNOWN, _MOST_KNOWN = 128, 128
"""Bytes of what fields say, and number of those that are not read again."""
_CHARSET = re.compile(r"[\s\"']*([^\s;,\"']{0,64})")


class About(TypedDict):
    """What the fields of a leaf say of it."""

    content_type: str
    file_name: str
    encoding: str
    charset: str
    disposition: str
    method: str
    smime_type: str
    joins_lines: bool


def about(fields: Fields, kind: params.Parameterized) -> tuple[str, About]:
    """The whole encoding of a part of this type, and what its fields say of it."""
    disposition, coding = fields.first("content-disposition"), fields.first("content-transfer-encoding")
    said = fields.first("content-type")
    short = len(said) + len(disposition) + len(coding) <= _LONGEST_KNOWN
    if short and kind is params.media_type(said):
        return _known(said, disposition, coding)
    return _read(kind, disposition, coding)


@lru_cache(maxsize=_MOST_KNOWN)
def _known(said: bytes, disposition: bytes, coding: bytes) -> tuple[str, About]:
    return _read(params.media_type(said), disposition, coding)


def _read(kind: params.Parameterized, said: bytes, coding: bytes) -> tuple[str, About]:
    """The encoding of a leaf, and what its fields say of it: its type, its disposition, its encoding."""
    disposition = params.parse(said)
    name = disposition.text("filename") or kind.text("name")
    encoding = params.parse(coding).value
    charset = _CHARSET.match(kind.text("charset"))
    is_file = bool(name) or disposition.value == "attachment"
    return encoding, About(
        content_type=_type(kind, is_file=is_file, encoding=encoding),
        file_name=text.identity(name, limit=LONGEST_NAME) if name else "",
        encoding=encoding[:LONGEST_NAME],
        charset=charset[1] if charset else "",
        disposition=disposition.value[:LONGEST_NAME],
        method=kind.text("method").lower()[:64],
        smime_type=kind.text("smime-type").lower()[:64],
        joins_lines=_is(kind, "format", "flowed") and _is(kind, "delsp", "yes"),
    )


def _type(kind: params.Parameterized, *, is_file: bool, encoding: str) -> str:
    """A type that cannot be read is text to people (RFC 2045 §5.2), but not for a file."""
    if kind.value:
        return kind.value[:LONGEST_NAME]
    binary = is_file or (encoding == "base64" and "charset" not in kind.raw)
    return "application/octet-stream" if binary else "text/plain"


def _is(kind: params.Parameterized, name: str, value: str) -> bool:
    return kind.text(name).strip().lower() == value
