"""Names under which attachments may be saved: what a mail calls them, without what a name can do to a disk. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 180
"""File systems allow 255; a partial file and a number get their room beside it."""
_MOST_SUFFIX_BYTES = 20
_SEPARATORS, _SPECIAL, _HIDING = re.compile(r"[/\\]"), re.compile(r'[<>:"|?*]'), " .-~"
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))}
_SUFFIXES = {
    "application/json": ".json",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "audio/mpeg": ".mp3",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/vcard": ".vcf",
}


def safe_name(file_name: str, *, index: int, content_type: str) -> str:
    """The name of an attachment's file: no path, nothing hidden or reserved anywhere, no control characters, NFC.

    Where nothing is left of it, or nothing was there, it is called after its number and type.
    """
    text = "".join(char for char in unicodedata.normalize("NFC", file_name) if unicodedata.category(char)[0] != "C")
    text = _SPECIAL.sub("_", _SEPARATORS.split(text)[-1])
    text = " ".join(text.split()).lstrip(_HIDING).rstrip(" .")
    if not text:
        return f"part-{index}{_SUFFIXES.get(content_type, '.bin')}"
    if text.partition(".")[0].rstrip().upper() in _RESERVED:
        text = f"_{text}"
    return _bounded(text)


def alternatives(name: str) -> Iterator[str]:
    """The name, and what it is called where that one is taken: `plan (2).pdf`, `plan (3).pdf`, without end."""
    yield name
    stem, suffix = _split(name)
    number = 2
    while True:
        yield f"{stem} ({number}){suffix}"
        number += 1


def _bounded(name: str) -> str:
    """At most MOST_BYTES of UTF-8, cut before the suffix."""
    if len(name.encode()) <= MOST_BYTES:
        return name
    stem, suffix = _split(name)
    if len(suffix.encode()) > _MOST_SUFFIX_BYTES:
        stem, suffix = name, ""
    cut = stem.encode()[: MOST_BYTES - len(suffix.encode())].decode(errors="ignore")
    return cut.rstrip(" .") + suffix


def _split(name: str) -> tuple[str, str]:
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem else (name, "")
