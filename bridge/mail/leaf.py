"""What the fields of a part say of it: its type, its name, its encoding (RFC 2045, RFC 2183)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.mail import params, text

if TYPE_CHECKING:
    from bridge.mail.fields import Fields

LONGEST_NAME = 200
_LONGEST_KNOWN, _MOST_KNOWN = 128, 512
"""Bytes of what fields say, and number of those that are not read again."""
_NOTHING = (b"",)
_CHARSET = re.compile(r"[\s\"']*([^\s;,\"']{0,64})")


PAGES: Final = frozenset(("text/html", "application/xhtml+xml", "text/enriched", "text/richtext"))
_NOT_READ = {"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/css", "text/javascript", "text/rtf"}
_NOT_READ |= {"text/rfc822-headers", "text/x-moz-deleted", "text/x-amp-html", "text/watch-html"}
"""What is text to programs, and what says only what another part says as well."""


class About(NamedTuple):
    """What the fields of a leaf say of it, as `mime.Part` has it."""

    content_type: str
    file_name: str
    encoding: str
    charset: str
    disposition: str
    method: str
    smime_type: str
    joins_lines: bool
    page: bool
    inline_text: bool


PLAIN: Final = About("text/plain", "", "", "", "", "", "", joins_lines=False, page=False, inline_text=True)
"""What is said of a part by fields that say nothing of it."""


def about(fields: Fields, kind: params.Parameterized) -> About:
    """What the fields of a part of this type say of it; without a field for it, the type is the one that is meant."""
    values = fields.values
    said = values.get("content-type", _NOTHING)[0]
    disposition = values.get("content-disposition", _NOTHING)[0]
    coding = values.get("content-transfer-encoding", _NOTHING)[0]
    if len(said) + len(disposition) + len(coding) <= _LONGEST_KNOWN:
        if not said:
            return _known(kind.value.encode(), disposition, coding)
        if kind is params.media_type(said):
            return _known(said, disposition, coding)
    return _read(kind, disposition, coding)


@lru_cache(maxsize=_MOST_KNOWN)
def _known(said: bytes, disposition: bytes, coding: bytes) -> About:
    return _read(params.media_type(said), disposition, coding)


def _read(kind: params.Parameterized, said: bytes, coding: bytes) -> About:
    """What a type, a disposition and an encoding say of a leaf."""
    disposition = params.parse(said)
    name = disposition.text("filename") or kind.text("name")
    encoding = params.parse(coding).value
    charset = _CHARSET.match(kind.text("charset"))
    is_file = bool(name) or disposition.value == "attachment"
    content_type = _type(kind, is_file=is_file, encoding=encoding)
    file_name = text.identity(name, limit=LONGEST_NAME) if name else ""
    return About(
        content_type=content_type,
        file_name=file_name,
        encoding=encoding[:LONGEST_NAME],
        charset=charset[1] if charset else "",
        disposition=disposition.value[:LONGEST_NAME],
        method=kind.text("method").lower()[:64],
        smime_type=kind.text("smime-type").lower()[:64],
        joins_lines=_is(kind, "format", "flowed") and _is(kind, "delsp", "yes"),
        page=content_type in PAGES,
        inline_text=disposition.value != "attachment" and _readable(content_type, file_name),
    )


def _readable(content_type: str, file_name: str) -> bool:
    """Whether it is text that a mail program would show as part of the message: of any kind that is no file."""
    if content_type in {"text/plain", "text/html"}:
        return True
    text = content_type in PAGES or (content_type.startswith("text/") and content_type not in _NOT_READ)
    return text and not file_name


def _type(kind: params.Parameterized, *, is_file: bool, encoding: str) -> str:
    """A type that cannot be read is text to people (RFC 2045 §5.2), but not for a file."""
    if kind.value:
        return kind.value[:LONGEST_NAME]
    binary = is_file or (encoding == "base64" and "charset" not in kind.raw)
    return "application/octet-stream" if binary else "text/plain"


def _is(kind: params.Parameterized, name: str, value: str) -> bool:
    return kind.text(name).strip().lower() == value
