"""Media types as senders write them (RFC 2045 §5.1), those that are misspelt as they were meant.

A type that nobody could read is text to people: cameras, printers and scripts send what they have to say under
`plain/text`, `text/plain charset=utf-8` or `text`.
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    rb"[\s\"']*+(?P<type>[^\s/\\;,:\"'=]*+)(?:\s*[/\\]\s*(?P<subtype>[^\s;,:\"'=/\\]*+))?(?!\s*=)[/\\\"']*\s*[;,:]?"
)
_UNDIVIDED = re.compile(rb"(?<=[^\s,])[\s,]++(?=[\w-]{1,20}=)")
_KNOWN = frozenset(
    [
        "text",
        "image",
        "audio",
        "video",
        "application",
        "multipart",
        "message",
        "model",
        "font",
        "chemical",
        "example",
        "haptics",
    ]
)
_RUN_TOGETHER = re.compile(r"text[^a-z0-9]?(plain|html)")
_CALLED_TEXT = re.compile(r"(?:x-)?(?:plain|text|txt|ascii)-?(?:plain|text)?")
_TEXTS = frozenset({"text", "txt", "plain", "ascii", "plaintext"})
_PAGES = frozenset({"html", "htm", "xhtml", "html5", "x-html"})
_NEARLY_TEXT = frozenset({"txt", "test", "tex", "texte", "ext", "textt", "tekst", "texto", "teext", "tet", "tezt"})
_LONGEST = 200


def split(raw: bytes) -> tuple[str, bytes]:
    """A Content-Type without comments as its type in lower case and the parameters behind it.

    The type is "" when it cannot be read: it has no slash and is no known word, or its first half is none that exists.
    """
    head = _HEAD.match(raw)
    if head is None or not head["type"]:
        return "", b";" + raw
    kind = head["type"].decode("ascii", "replace").lower()
    subtype = (head["subtype"] or b"").decode("ascii", "replace").lower()
    rest = raw[head.end() :]
    if head[0][-1:] != b";":
        rest = _UNDIVIDED.sub(b";", rest)
    return _meant(kind, subtype)[:_LONGEST], b";" + rest


def _meant(kind: str, subtype: str) -> str:
    """What was meant by the two halves of a type, of which the second may be missing."""
    together = _RUN_TOGETHER.fullmatch(kind)
    if together:
        kind, subtype = "text", together[1]
    if kind in _NEARLY_TEXT and subtype:
        kind = "text"
    if subtype in {"text", "txt"} and kind != "text":  # plain/text, application/text
        kind, subtype = "text", "html" if kind in _PAGES else "plain"
    if kind in _PAGES or (kind in {"text", "application"} and subtype in _PAGES):
        return "text/html"
    if kind in _TEXTS and (not subtype or subtype in _TEXTS or kind != "text"):
        return "text/plain"
    if kind in {"application", "message"} and _CALLED_TEXT.fullmatch(subtype):
        return "text/plain"
    known = subtype and (kind in _KNOWN or kind.startswith("x-"))
    return f"{kind}/{subtype}" if known else ""
