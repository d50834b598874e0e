"""On which line each key of a TOML text stands (TOML 1.0), which Python's reader does not tell. Pure.

The text has been read by `tomllib` before: what it refuses is not met here.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

Key = tuple[int | str, ...]
"""A key's parts, with the place in a list as a number."""

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""(?!")|\'\'\'.*?\'\'\'(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'''', re.DOTALL
)
_WORD = re.compile(r"[^,\]}#\n]+")
_EXACT: Final = "\"'\\"


def lines_of(text: str) -> dict[Key, int]:
    """The line of each table, key and element of a list, counted from 1; where it stands first, if in several."""
    return _Scan(text).lines


class _Scan:
    """Goes through the text once, from front to back."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._line, self._counted = 1, 0
        self._tables: dict[Key, int] = {}  # how often a table of a list of tables came
        self.lines: dict[Key, int] = {}
        self._run()

    def _run(self) -> None:
        table: Key = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Key:
        line, several = self._line_here(), self._text.startswith("[[", self._at)
        self._at += 1 + several
        table: Key = ()
        parts = self._parts()
        self._at += 1 + several
        for part in parts[:-1]:
            table = self._newest((*table, part))
            self.lines.setdefault(table, line)
        table = (*table, parts[-1])
        self.lines.setdefault(table, line)
        if several:
            self._tables[table] = self._tables.get(table, -1) + 1
        table = self._newest(table)
        self.lines.setdefault(table, line)
        return table

    def _newest(self, table: Key) -> Key:
        """The table itself, or, of a list of tables, the last one so far."""
        return (*table, self._tables[table]) if table in self._tables else table

    def _pair(self, table: Key) -> None:
        line = self._line_here()
        for part in self._parts():
            table = (*table, part)
            self.lines.setdefault(table, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(table)

    def _parts(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            word = self._take(_PART)
            parts.append(tomllib.loads(f"k = {word}")["k"] if word[0] in _EXACT else word)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, key: Key) -> None:
        first = self._text[self._at]
        if first == "[":
            self._list(key)
        elif first == "{":
            self._table(key)
        else:
            self._take(_STRING if first in _EXACT else _WORD)

    def _list(self, key: Key) -> None:
        self._at += 1
        number = 0
        while self._text[self._skip(_BLANK)] != "]":
            self.lines.setdefault((*key, number), self._line_here())
            self._value((*key, number))
            number += 1
            self._comma()
        self._at += 1

    def _table(self, key: Key) -> None:
        self._at += 1
        while self._text[self._skip(_BLANK)] != "}":
            self._pair(key)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        if self._text[self._skip(_BLANK)] == ",":
            self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        self._take(pattern)
        return self._at

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, f"not the TOML that was read, at {self._at}"
        self._at = match.end()
        return match.group()

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
