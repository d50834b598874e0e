"""What the library says of a value, in our words: what is wrong with it, and what to write instead. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Bound = int | float

_PLAIN = {
    "int_type": ("not a whole number", "write one without quotes, as 100"),
    "int_parsing": ("not a whole number", "write one, as 100"),
    "int_parsing_size": ("too large", "write a smaller number"),
    "int_from_float": ("not a whole number", "write one, as 100"),
    "float_type": ("not a number", "write one without quotes, as 7 or 0.5"),
    "float_parsing": ("not a number", "write one, as 7 or 0.5"),
    "finite_number": ("not a number", "write one, as 7 or 0.5"),
    "bool_type": ("neither true nor false", "write true or false without quotes"),
    "bool_parsing": ("neither true nor false", "write true or false without quotes"),
    "string_type": ("not a text", 'write it in quotes, as "this"'),
    "path_type": ("not a path", 'write it in quotes, as "/etc/postbell/file"'),
    "tuple_type": ("not a list", 'write one in brackets, as ["this", "that"]'),
    "model_type": ("not a section", "write [{key}] alone on a line, and below it key = value"),
    "model_attributes_type": ("not a section", "write [{key}] alone on a line, and below it key = value"),
}
_BOUNDS = {
    "greater_than_equal": ("ge", "too small", "write {} or more"),
    "greater_than": ("gt", "too small", "write more than {}"),
    "less_than_equal": ("le", "too large", "write {} or less"),
    "less_than": ("lt", "too large", "write less than {}"),
}
_OURS = "value_error"


def put(kind: str, message: str, context: Mapping[str, Any], *, key: str) -> tuple[str, str]:
    """Problem and cure, from the library's `kind` of error, its message and the bounds in its context."""
    if kind in _PLAIN:
        problem, cure = _PLAIN[kind]
        return problem, cure.format(key=key)
    if kind in _BOUNDS:
        name, problem, cure = _BOUNDS[kind]
        return problem, cure.format(_plain(context[name]))
    if kind in {"literal_error", "enum"}:
        return "not one of the choices", f"write {context['expected']}"
    if kind == _OURS:
        return _ours(message.removeprefix("Value error, "))
    return message[:1].lower() + message[1:], "mend the value"


def _plain(bound: Bound) -> str:
    """A bound as people write it: 0 for 0.0."""
    return str(int(bound) if bound == int(bound) else bound)


def _ours(text: str) -> tuple[str, str]:
    """What our own types say: `problem; cure`, or the cure alone."""
    problem, semicolon, cure = text.partition("; ")
    return (problem, cure) if semicolon else ("not as it should be", text)
