"""Strings as IMAP writes them: quoted ones, and names of folders in modified UTF-7 (RFC 3501 §5.1.3). Pure."""

from __future__ import annotations

from base64 import b64encode

from bridge.imap.errors import ImapSyntaxError


def quoted(text: str) -> str:
    """A quoted string; raises ImapSyntaxError for what cannot be one."""
    if not text.isascii() or not text.isprintable():
        raise ImapSyntaxError("this cannot be said in a quoted string")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def folder(name: str) -> str:
    """The name of a folder, quoted."""
    parts, strange = [], ""
    for character in [*name, ""]:
        if character and not (character.isascii() and character.isprintable()):
            strange += character
            continue
        if strange:
            encoded = b64encode(strange.encode("utf-16-be", "surrogatepass")).decode().rstrip("=")
            parts.append(f"&{encoded.replace('/', ',')}-")
            strange = ""
        parts.append("&-" if character == "&" else character)
    return quoted("".join(parts))
