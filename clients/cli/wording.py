"""What the library says of an option's value, in our words: what it is not, and what to write instead. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = {
    "int_parsing": "not a whole number; write one, as 100",
    "int_parsing_size": "too large; write a smaller number",
    "int_from_float": "not a whole number; write one, as 100",
    "float_parsing": "not a number; write one, as 7 or 0.5",
    "finite_number": "not a number; write one, as 7 or 0.5",
}
_BOUNDS = {
    "greater_than_equal": "too small; write {ge} or more",
    "greater_than": "too small; write more than {gt}",
    "less_than_equal": "too large; write {le} or less",
    "less_than": "too large; write less than {lt}",
}
_OURS = "Value error, "


def put(kind: str, message: str, context: Mapping[str, Any], *, value: object) -> str:
    """The value, with words for the library's `kind` of error and its bounds; its own message where there are none."""
    words = _PLAIN.get(kind) or _BOUNDS.get(kind, "")
    if not words:
        return message.removeprefix(_OURS)
    return f"{value!r}: {words.format(**{name: f'{bound:.15g}' for name, bound in context.items()})}"
