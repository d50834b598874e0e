"""A statement of `bridge/store` as PostgreSQL has it. Pure.

The operations are written once, in SQL that both databases understand. What is left to differ is small: how parameters
are named, which index SQLite is told to take, and how an array of JSON becomes rows. What differs more has a form of
its own (`bridge/store/postgres.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_RULES = (
    (re.compile(r"\s+INDEXED BY \w+"), ""),
    (re.compile(r"\bCROSS JOIN (?=[^()]*?\b(?:ON|USING)\b)"), "JOIN "),
    (re.compile(r"\b(FROM|JOIN|UPDATE|INTO) user\b"), r'\1 "user"'),  # a word of its own there
    (re.compile(r"\buser\."), '"user".'),
    (re.compile(r"\bSELECT value FROM json_each\(([?:]\w*)\)"), r"SELECT CAST(value AS bigint) FROM json_each(\1)"),
    (re.compile(r"\bjson_each\(([?:]\w*)\)"), r"json_array_elements_text(CAST(\1 AS json))"),
    (re.compile(r"\bjson_group_array\((\w+)\)"), r"CAST(coalesce(json_agg(\1), '[]') AS text)"),
    (re.compile(r"\binstr\("), "strpos("),
)
_TOKEN = re.compile(r"'(?:[^']|'')*'|\?(\d*)|(?<!:):([a-z_]+)|%")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is sent, with a `%b` for each parameter, and which of the parameters given each of these is."""

    text: str
    order: tuple[int, ...] | tuple[str, ...]


@lru_cache(maxsize=1024)
def translated(sql: str) -> Statement:
    """The statement for PostgreSQL, with parameters in their binary form."""
    text = sql
    for pattern, there in _RULES:
        text = pattern.sub(there, text)
    places: list[int] = []
    names: list[str] = []

    def parameter(found: re.Match[str]) -> str:
        token = found[0]
        if token.startswith("?"):
            places.append(int(found[1]) - 1 if found[1] else len(places))
        elif token.startswith(":"):
            names.append(found[2])
        else:
            return token.replace("%", "%%")
        return "%b"

    text = _TOKEN.sub(parameter, text)
    return Statement(text, tuple(names) or tuple(places))
