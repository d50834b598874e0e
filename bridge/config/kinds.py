"""The kinds of values that a configuration has: what each is called, and what reads it. Those of every day. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from math import isnan
from typing import TYPE_CHECKING, Any, Final

from bridge.config.unusable import UnusableError, Wrong, refuse, wrong

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE: Final = {"1", "on", "t", "true", "y", "yes"}
_FALSE: Final = {"0", "off", "f", "false", "n", "no"}
_DIGITS: Final = 4000
"""No number has more; Python refuses to read some more than that."""
_EXACT: Final = 2.0**53
"""From here on a float is not the number that somebody wrote (IEEE 754, binary64)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: its name where keys are explained (`keys.py` says how each is written), and its reader.

    The reader takes what a file, a variable or a program says, also a value that was read already, and gives the
    value. It raises ValueError with `problem; cure`, or UnusableError where that is within the value.
    """

    name: str
    read: Callable[[Any], Any]


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        refuse("not a whole number", "write one without quotes, as 100")
    if isinstance(value, str):
        return _whole_in(value)
    if isinstance(value, float) and not (value.is_integer() and abs(value) < _EXACT):
        refuse("not a whole number", "write one, as 100")
    return int(value)


def _whole_in(text: str) -> int:
    if len(text) > _DIGITS:
        refuse("too large", "write a smaller number")
    digits, _, zeros = text.strip().partition(".")
    try:
        return int(digits if set(zeros) <= {"0"} else "")
    except ValueError:
        refuse("not a whole number", "write one, as 100")


def _figure(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        refuse("not a number", "write one without quotes, as 7 or 0.5")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = None
    if number is None or isnan(number):
        refuse("not a number", "write one, as 7 or 0.5")
    return number


def _switch(value: object) -> bool:
    said = str(value).lower() if isinstance(value, int | str) else ""
    if said not in _TRUE | _FALSE:
        refuse("neither true nor false", "write true or false without quotes")
    return said in _TRUE


def _text(value: object) -> str:
    if not isinstance(value, str):
        refuse("not a text", 'write it in quotes, as "this"')
    return value


WHOLE: Final = Kind("whole number", _whole)
NUMBER: Final = Kind("number", _figure)
SWITCH: Final = Kind("true or false", _switch)
TEXT: Final = Kind("text", _text)


def one_of(*choices: str | Enum) -> Kind:
    """One of several texts, or of the members of an enumeration by their texts."""
    by_text = {each.value if isinstance(each, Enum) else each: each for each in choices}
    *firsts, last = (f'"{each}"' for each in by_text)
    *others, end = map(repr, by_text)

    def read(value: object) -> str | Enum:
        if not isinstance(value, str) or value not in by_text:
            refuse("not one of the choices", f"write {', '.join(others)} or {end}")
        return by_text[value]

    return Kind(f"{', '.join(firsts)} or {last}", read)


def several(name: str, element: Kind) -> Kind:
    """A list, read as a tuple. It may be one text: a variable holds `a, b`, or a list as JSON writes it."""

    def read(value: object) -> tuple[Any, ...]:
        elements = _listed(value) if isinstance(value, str) else value
        if not isinstance(elements, list | tuple):
            refuse("not a list", 'write one in brackets, as ["this", "that"]')
        values: list[Any] = []
        problems: list[Wrong] = []
        for place, each in enumerate(elements):
            try:
                values.append(element.read(each))
            except ValueError as error:
                problems += wrong(error, place, each)
        if problems:
            raise UnusableError(*problems)
        return tuple(values)

    return Kind(name, read)


def _listed(text: str) -> object:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError('not a list; write this, that, or ["this", "that"]') from None


TEXTS: Final = several("list of texts", TEXT)
