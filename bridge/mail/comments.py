"""Comments and quoted strings of structured fields (RFC 5322 §3.2.1, §3.2.2, §3.2.4).

A bracket within a quoted string opens no comment, a quote within a comment opens no string, and what
stands behind a backslash in either is only itself. The patterns go over nothing twice, but for one
pass a level of nesting; in those who use them a dot is any byte (`re.DOTALL`).
"""

from __future__ import annotations

import re

DEEPEST = 6
"""Comments within one another; what is deeper is no comment."""

QUOTED_TEXT = rb'[^"\\]*+(?:\\.[^"\\]*+)*'
QUOTED = rb'"' + QUOTED_TEXT + rb'"?'
"""A quoted-string, perhaps without its end."""


def _nested() -> bytes:
    """The pattern of a comment: text, quoted-pairs, and comments one level less deep."""
    inner = rb"\\."
    for _ in range(DEEPEST):
        comment = rb"\((?>[^()\\]*+(?:(?:" + inner + rb")[^()\\]*+)*)\)"
        inner = rb"\\.|" + comment
    return comment


COMMENT = _nested()
"""A comment from its bracket to the one that closes it; one that nothing closes does not match."""

_BRACKET = b"("[0]
_PIECE = re.compile(COMMENT + rb"|(" + QUOTED + rb"|\(.*)", re.DOTALL)
"""A comment; or else what is kept: a quoted-string, or all from a bracket on that nothing closes."""


def without_comments(value: bytes) -> bytes:
    """A structured value with a space in the place of each comment.

    Where a comment has no end, it and all behind it stay: to look for others there would cost
    quadratic time.
    """
    if _BRACKET not in value:
        return value
    return _PIECE.sub(lambda match: match[1] or b" ", value)
