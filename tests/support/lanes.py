"""The short ways of reading mail, to be closed, so that the long ones show what they give, and to be watched."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from bridge.mail import boilerplate, codenumbers, codewords, leaf, params, plain, prose
from bridge.mail.quotes import introductions, lines, signs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

LANES = {
    **dict.fromkeys(
        ("content", "origin", "mailbox", "line", "moment", "structured", "unmarked", "unquoted", "uncounted"), plain
    ),
    **dict.fromkeys(("paragraph", "quiet"), introductions),
    "unlabelled": signs,
    "unwritten": codenumbers,
    "latin": codewords,
    "pieces": lines,
    "begun": prose,
}
"""What is told at a glance, and where."""


def _says(answer: Any, *_: Any) -> Any:
    return answer


@contextmanager
def closed() -> Iterator[None]:
    """Nothing is plain, no value of a field is known, every line is read, and words are looked for everywhere."""
    with ExitStack() as patches:
        says_no: dict[str, Any] = {"pieces": (), "begun": ([], 0)}
        for name, room in LANES.items():
            patches.enter_context(patch.object(room, name, partial(_says, says_no.get(name))))
        for room in (params, leaf):
            patches.enter_context(patch.object(room, "_LONGEST_KNOWN", -1))
        patches.enter_context(patch.object(codewords, "announcing", codewords.ANNOUNCING.finditer))
        patches.enter_context(patch.object(boilerplate, "_ANYWHERE", ("",)))
        patches.enter_context(
            patch.object(lines, "_Unmarked", lambda pieces: list(lines._lines([piece.strip() for piece in pieces])))
        )
        yield


@contextmanager
def taken() -> Iterator[set[str]]:
    """The lanes that are taken meanwhile."""
    found: set[str] = set()

    def watched(room: ModuleType, name: str) -> Any:
        lane = getattr(room, name)

        def asked(*arguments: Any) -> Any:
            answer = lane(*arguments)
            if answer and answer != ([], 0):
                found.add(name)
            return answer

        return asked

    for known in (params._known_type, params._parsed, leaf._known):
        known.cache_clear()  # what is known already takes no lane
    with ExitStack() as patches:
        for name, room in LANES.items():
            patches.enter_context(patch.object(room, name, watched(room, name)))
        yield found
