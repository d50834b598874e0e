"""What stands in a response, read: atoms, strings and lists (RFC 9051 §4). Pure, bounded, linear."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from bridge.imap.errors import ImapLimitError, ImapSyntaxError

if TYPE_CHECKING:
    from bridge.imap.lines import Response

Value: TypeAlias = "bytes | list[Value] | None"
"""An atom or a string as bytes, NIL as None, or a list."""

DEEPEST = 16
"""Lists within lists."""
_TOKEN = re.compile(  # what an atom has in brackets is short, so that no end is looked for again and again
    rb'(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|'
    rb'(?P<atom>[^\s()"\[]*(?:\[[^\]]{0,256}\][^\s()"\[]*)|[^\s()"]+)'
)
_ESCAPED = re.compile(rb"\\(.)")
_SPACES = re.compile(rb"\s*")


def read(response: Response) -> list[Value]:
    """The values of a response; raises ImapSyntaxError or ImapLimitError."""
    stack: list[list[Value]] = [[]]
    for index, text in enumerate(response.texts):
        _read_text(text, stack)
        if index < len(response.literals):
            stack[-1].append(response.literals[index])
    if len(stack) != 1:
        raise ImapSyntaxError("the server sent a list without an end")
    return stack[0]


def _read_text(text: bytes, stack: list[list[Value]]) -> None:
    position = 0
    while True:
        spaces = _SPACES.match(text, position)
        assert spaces is not None
        position = spaces.end()
        if position >= len(text):
            return
        token = _TOKEN.match(text, position)
        if token is None or token.end() == position:
            raise ImapSyntaxError("the server sent what is no list, string or atom")
        position = token.end()
        _take(token, stack)


def _take(token: re.Match[bytes], stack: list[list[Value]]) -> None:
    if token["open"]:
        if len(stack) > DEEPEST:
            raise ImapLimitError(f"the server sent lists more than {DEEPEST} deep")
        stack.append([])
    elif token["close"]:
        if len(stack) == 1:
            raise ImapSyntaxError("the server ended a list that had not begun")
        ended = stack.pop()
        stack[-1].append(ended)
    elif token["quoted"] is not None:
        stack[-1].append(_ESCAPED.sub(rb"\1", token["quoted"]))
    else:
        atom = token["atom"]
        stack[-1].append(None if atom.upper() == b"NIL" else atom)
