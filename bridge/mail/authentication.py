"""What a server found out about the sender's domain: the field Authentication-Results (RFC 8601).

A sender chooses part of what stands there: envelope addresses, greetings, selectors. So the field is
read by its grammar (§2.2) or not at all: where it cannot be read to its end, it says nothing.
"""

from __future__ import annotations

import re

from bridge.mail.comments import COMMENT, QUOTED_TEXT

LONGEST = 16_384
"""Bytes of one field; a longer one says nothing."""

_SPACE = rb"(?>(?:[ \t\r\n]++|" + COMMENT + rb")*)"
_APART = rb"(?>(?:[ \t\r\n]++|" + COMMENT + rb")+)"
_TEXT = rb'[^\x00-\x20\x7f;()"]++'
_KEYWORD = rb"[A-Za-z0-9_-]++"
_END = _SPACE + rb"(?=;|\Z)"
_PROPERTY = (
    _KEYWORD + rb"(?:" + _SPACE + rb"\." + _SPACE + _KEYWORD + rb")*" + _SPACE + rb"=" + _SPACE
    + rb'(?>(?:"' + QUOTED_TEXT + rb'"|' + _TEXT + rb")*)"
)  # fmt: skip
"""`reason="…"` or `header.from=…`. Values that should be quoted and are not are common: base64, `a=b@example.org`."""

_SERVER = re.compile(_SPACE + rb"(" + _TEXT + rb")", re.DOTALL)
_VERSION = re.compile(rb"(?:" + _APART + rb"([0-9]++))?" + _END, re.DOTALL)
_RESULT = re.compile(
    rb";" + _SPACE + rb"(?P<method>" + _KEYWORD + rb")"
    + _SPACE + rb"(?:/" + _SPACE + rb"(?P<version>[0-9]++)" + _SPACE + rb")?="
    + _SPACE + rb"(?P<result>" + _KEYWORD + rb")(?:" + _APART + _PROPERTY + rb")*" + _END,
    re.DOTALL,
)  # fmt: skip
_NOTHING = re.compile(rb";" + _SPACE + rb"\Z", re.DOTALL)
"""The semicolon at the end that some servers write."""


def passes(results: tuple[bytes, ...], authserv_ids: frozenset[str]) -> bool:
    """Whether a trusted server found that DMARC passes (RFC 8601 §2.7, RFC 7489 §11.2).

    `results` are the values of the fields, topmost first. Of those with a configured authserv-id, in
    whatever case and not in quotes, only the topmost counts: servers write theirs above what came
    with the message. Such a server must remove forged fields of its own name (RFC 8601 §5). Linear
    in the length of the fields; never raises.
    """
    if not authserv_ids:
        return False
    trusted = {name.lower().encode() for name in authserv_ids}
    for value in results:
        server = _SERVER.match(value, 0, LONGEST)
        if server and server[1].lower() in trusted:
            return len(value) <= LONGEST and _dmarc_passes(value, server.end())
    return False


def _dmarc_passes(value: bytes, position: int) -> bool:
    """Whether DMARC is among the results behind the authserv-id, and each time with `pass`.

    False as well for a version other than 1 (§2.2, §2.6), of the field or the method, and for what is
    no result: a comment or a string without its end, a word of its own.
    """
    version = _VERSION.match(value, position)
    if version is None or version[1] not in {None, b"1"}:
        return False
    position = version.end()
    verdicts: list[bool] = []
    while position < len(value) and not _NOTHING.match(value, position):
        found = _RESULT.match(value, position)
        if found is None:
            return False
        if found["method"].lower() == b"dmarc":
            verdicts.append(found["result"].lower() == b"pass" and found["version"] in {None, b"1"})
        position = found.end()
    return bool(verdicts) and all(verdicts)
