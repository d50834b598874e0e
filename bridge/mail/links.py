"""Lines as they are shown: without links that nobody would read, and without rules of marks around them."""

from __future__ import annotations

import re

_LONGEST_URL = 48

URL = re.compile(r"[<\[(]?\bhttps?://([^\s<>\])/?#]{1,255}+)([^\s<>\])]*+)[>\])]?", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\[(?:image|cid|bild|imagen?|inline image)\b[^\]\n]{0,200}\]", re.IGNORECASE)
_MAILTO = re.compile(r"[<\[]mailto:[^<>\[\]\s]{1,320}[>\]]", re.IGNORECASE)
MARKS = "*#=_~-"


def without(line: str) -> str:
    """Short plain addresses stay, without their scheme; long ones and those that track vanish."""
    if "://" in line:
        line = URL.sub(_short, line)
    if "[" in line:
        line = _PLACEHOLDER.sub("", line)
    if "mailto:" in line:
        line = _MAILTO.sub("", line)
    return line.strip()


def bare(line: str) -> str:
    """A line without the rule of marks that stands at its beginning or its end, as around a title."""
    rest = line.lstrip(MARKS)
    if len(line) - len(rest) > 1 and rest[:1].isspace():
        line = rest.lstrip()
    rest = line.rstrip(MARKS)
    return rest.rstrip() if len(line) - len(rest) > 1 and rest[-1:].isspace() else line


def _short(match: re.Match[str]) -> str:
    host, path = match[1], match[2].rstrip("/")
    if "?" in path or len(host) + len(path) > _LONGEST_URL:
        return ""
    return host + path
