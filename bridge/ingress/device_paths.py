"""Paths of MAIL and RCPT as devices write them: with a name, a comment, blanks or doubled brackets. Pure.

They are read as Postfix reads them by default, which also stands before such devices; that a name may stand outside of
the brackets is ours. Between two addresses nobody guesses.
"""

from __future__ import annotations

import re

from bridge.errors import MalformedAddressError
from bridge.ingress.addresses import LONGEST_PATH, parse_path
from bridge.reply import Reply

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_UP_TO_BRACKET = re.compile(rf'((?:{_QUOTED}|[^">])*)>')
_MORE_BRACKETS = re.compile(r"[ >]*>")
_BLANK_OR_COMMENT = re.compile(rf"({_QUOTED})|(?:\([^()]*\)|\s)+")
_AROUND_MARK = re.compile(rf"({_QUOTED})| ?([@.]) ?")
_BRACKET_IN_PARAMETERS = re.compile(r"(?<!=)<")


class UnreadableAddressError(MalformedAddressError):
    """An address, and not only a name beside it, had bytes that are not UTF-8."""

    reply = Reply(500, "5.5.2", "The address is not UTF-8")


def parse_device_path(text: str) -> tuple[str, str]:
    """As `parse_path`, whose every reading holds here, too; U+FFFD stands for what was not UTF-8.

    Raises MalformedAddressError.
    """
    path, rest = _parse(text)
    if "\ufffd" in path:
        raise UnreadableAddressError(text)
    return path, rest


def _parse(text: str) -> tuple[str, str]:
    try:
        path, rest = parse_path(text)
    except MalformedAddressError:
        return parse_path(_tidied(text))
    if rest and _BRACKET_IN_PARAMETERS.search(rest):
        return parse_path(_tidied(text))
    return path, rest


def _tidied(text: str) -> str:
    """The same with only the address between the brackets, which are the innermost ones."""
    head = _UP_TO_BRACKET.match(text)
    if head is None or len(head[1]) > LONGEST_PATH:
        return text
    rest = text[head.end() :]
    more = _MORE_BRACKETS.match(rest)
    return f"<{_without_blanks(_innermost(head[1]))}>{rest[more.end() :] if more else rest}"


def _innermost(text: str) -> str:
    """What follows the last opening bracket that is not quoted."""
    unquoted = re.sub(_QUOTED, lambda quoted: " " * len(quoted[0]), text)
    return text[unquoted.rfind("<") + 1 :]


def _without_blanks(address: str) -> str:
    """Without comments and without blanks around `@` and `.`; any other blank stays, and is an error."""
    spaced = _BLANK_OR_COMMENT.sub(lambda found: found[1] or " ", address)
    return _AROUND_MARK.sub(lambda found: found[1] or found[2], spaced).strip()
