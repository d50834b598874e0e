"""Configuration files made of the keys: each with its default to be changed, or with what it is now."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from bridge.config.keys import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bridge.config.keys import Chapter, Key

WIDTH: Final = 112
STATE_DIR: Final = "/var/lib/postbell"
"""The place on a server, where no other is known: the default depends on who asks."""

_HEAD: Final = """\
# Postbell's configuration: every key with its default. Take the # away before the key that you change; the section
# above it stays. A variable of the environment goes before the file: POSTBELL_SMTP__LISTEN for listen in [smtp].
# After a change: postbell config check. What differs from the defaults: postbell config show.
#
# How values are written:
"""


def sample(chapters: Iterable[Chapter]) -> str:
    """A file in which each key stands as a comment with its default: it says what no file says."""
    legend = [f"# - {name}: {form}".replace("`", "") for name, form in KINDS.items()]
    return (
        _HEAD
        + "\n".join([*legend, ""])
        + "".join(_chapter(chapter, lambda key: [f"#{key.last} = {key.toml(key.default)}"]) for chapter in chapters)
    )


def written(
    chapters: Iterable[Chapter], values: Mapping[str, Any], places: Mapping[str, str], *, explained: bool
) -> str:
    """A file that says what the keys in `values` are, each with its place; `explained` with its meaning above."""

    def line(key: Key) -> list[str]:
        if key.name not in values:
            return []
        return [f"{key.last} = {key.toml(values[key.name])}  # {places[key.name]}"]

    return "".join(_chapter(chapter, line, explained=explained) for chapter in chapters).lstrip("\n")


def _chapter(chapter: Chapter, line: Callable[[Key], list[str]], *, explained: bool = True) -> str:
    """A section with those of its keys that have a line; nothing when none has."""
    lines: list[str] = []  # an empty one stands before each
    for key in chapter.keys:
        told = line(key)
        if told and explained:
            lines += ["", *_comment(f"{key.meaning} {_form(key)}")]
        lines += told
    if not lines:
        return ""
    head = [f"[{chapter.name}]"] if chapter.name else []
    above = _comment(chapter.meaning) if explained and chapter.name else []
    return "\n".join([*([""] if above or not explained else []), *above, *head, *lines, ""])


def _form(key: Key) -> str:
    return f"({key.kind}{f', {key.bounds}' if key.bounds else ''})"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text.replace("`", ""), WIDTH, break_on_hyphens=False)]
