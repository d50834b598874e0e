"""Encoded-words (RFC 2047) and raw 8-bit text in header values, decoded to text that may be shown."""

from __future__ import annotations

import binascii
import re

from bridge.mail import charsets

WORD = rb"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*+(?:(?<!=)\?(?!=)[^?]*+){0,3})\?="
"""An encoded-word; spaces and question marks inside, which the RFC forbids, are common and allowed."""

_WORD = re.compile(WORD)
_BROKEN = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?\s]*)(?:\?=?)?")
_REMAINS = re.compile(r"=\?[^\s?]{0,64}(?:\?[^\s?]{0,2}(?:\?[^\s?]*)?)?(?:\?=)?")
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_Q_BYTES = {b"%02X" % value: bytes([value]) for value in range(256)}


def decode(raw: bytes, *, hint: str = "") -> str:
    """A header value as text; `hint` is the charset to try for raw 8-bit bytes that are not UTF-8.

    Adjacent encoded-words of one charset are joined as bytes before they are decoded, because
    senders split characters between them; white space between any two encoded-words is dropped.
    """
    if not raw:
        return ""
    if raw.find(b"=?") < 0:  # `in` takes four times as long for bytes
        return charsets.sniff(raw, hint=hint)
    pieces: list[str] = []
    charset, waiting = "", b""
    position = 0
    for match in _WORD.finditer(raw):
        between = raw[position : match.start()]
        name = match[1].decode("ascii", "replace").partition("*")[0].lower()
        adjacent = position > 0 and not between.strip()
        if not adjacent or name != charset:
            pieces.append(charsets.decode(waiting, charset, hint=hint))
            waiting = b""
        if not adjacent:
            pieces.append(charsets.sniff(between, hint=hint))
        charset = name
        waiting += base64_bytes(match[3]) if match[2] in b"bB" else _q(match[3])
        position = match.end()
    pieces.append(charsets.decode(waiting, charset, hint=hint))
    pieces.append(charsets.sniff(raw[position:], hint=hint))
    return "".join(pieces)


def holds(raw: bytes) -> bool:
    """Whether a header value has an encoded-word in it."""
    return raw.find(b"=?") >= 0 and _WORD.search(raw) is not None


def outside(raw: bytes) -> bytes:
    """A header value without its encoded-words."""
    return _WORD.sub(b" ", raw)


def legible(text: str) -> str:
    """Decoded text without what is left of encoded-words that nobody could decode, as far as they say nothing."""
    if "=?" not in text:
        return text
    text = _BROKEN.sub(lambda broken: _mended(broken[1], broken[2], broken[3]), text)
    return _REMAINS.sub("", text).replace("?=", "").strip()


def _mended(charset: str, encoding: str, said: str) -> str:
    """What an encoded-word says that has no end."""
    raw = said.encode("utf-8", "replace")
    return charsets.decode(base64_bytes(raw) if encoding in "bB" else _q(raw), charset)


def _q(text: bytes) -> bytes:
    """RFC 2047 §4.2."""
    return _Q_ESCAPE.sub(lambda match: _Q_BYTES[match[1].upper()], text.replace(b"_", b" "))


def base64_bytes(text: bytes) -> bytes:
    """Base64 that may lack padding, hold foreign characters or end too early; never raises."""
    digits = text.translate(None, _NOT_BASE64)
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
