"""A statement of `bridge/store` as PostgreSQL has it. Pure.

The operations are written once, in SQL that both databases understand. What is left to differ is small: how parameters
are named, the name of an index that SQLite is told to take, and how an array of numbers becomes rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_INDEX = re.compile(r"\s+INDEXED BY \w+")
_CROSS = re.compile(r"\bCROSS JOIN (?=[^()]*?\b(?:ON|USING)\b)")
_ROWS = re.compile(r"\(SELECT value FROM json_each\((\?\d*)\)\)")
_TOKEN = re.compile(r"'(?:[^']|'')*'|\?(\d*)|%")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is sent, with a `%b` for each parameter, and which of the parameters given each of these is."""

    text: str
    order: tuple[int, ...]


@lru_cache(maxsize=1024)
def translated(sql: str) -> Statement:
    """The statement for PostgreSQL, with parameters in their binary form."""
    text = _INDEX.sub("", sql)
    text = _CROSS.sub("JOIN ", text)
    text = _ROWS.sub(r"(SELECT value::bigint FROM json_array_elements_text(CAST(\1 AS json)))", text)
    order: list[int] = []

    def parameter(found: re.Match[str]) -> str:
        token = found[0]
        if token.startswith("?"):
            order.append(int(found[1]) - 1 if found[1] else len(order))
            return "%b"
        return token.replace("%", "%%")

    return Statement(_TOKEN.sub(parameter, text), tuple(order))
