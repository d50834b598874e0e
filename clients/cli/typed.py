"""What is typed for an argument or option, read as its value or refused with what to write instead.

typer would have pydantic do that, which takes as long to import as all else of a start. It has no public place for
another reader: on which of its names that relies is told in docs/decisions/0041-what-a-start-imports.md.
"""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

Bound = int | float

_DIGITS: Final = 4000
"""No number has more; Python refuses to read some more than that."""


def _whole(typed: str) -> int:
    digits, _, zeros = typed.strip().partition(".")
    if len(digits) > _DIGITS:
        raise ValueError("too large; write a smaller number")
    try:
        return int(digits if set(zeros) <= {"0"} else "")
    except ValueError:
        raise ValueError("not a whole number; write one, as 100") from None


def _figure(typed: str) -> float:
    try:
        number = float(typed)
    except ValueError:
        number = float("nan")
    if isnan(number):
        raise ValueError("not a number; write one, as 7 or 0.5")
    return number


READERS: Final[dict[Any, Callable[[Any], Any]]] = {bool: bool, int: _whole, float: _figure, str: str, Path: Path}
"""By the type of a parameter. One that is true or false is so when it comes here: it has no value to be typed."""


class Typed:
    """Makes the value of a parameter of what was typed; typer calls that a runtime parameter."""

    def __init__(self, read: Callable[[Any], Any], *, least: Bound | None, most: Bound | None) -> None:
        self._read, self._least, self._most = read, least, most

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, a list of them where there may be several, None where nothing is said.

        Raises typer's BadParameter.
        """
        if param.multiple or param.nargs == -1:
            return [self._one(each, param, ctx) for each in value or ()]
        return None if value is None else self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return self._within(value if isinstance(value, int | float) else self._read(value))
        except ValueError as error:
            raise typer.BadParameter(f"{value!r}: {error}", ctx=ctx, param=param) from error

    def _within(self, value: Any) -> Any:
        if self._least is not None and value < self._least:
            raise ValueError(f"too small; write {self._least:.15g} or more")
        if self._most is not None and value > self._most:
            raise ValueError(f"too large; write {self._most:.15g} or less")
        return value


class ReadByUs:
    """A command, or a group of such, whose parameters have readers of ours; what none is for is left to typer."""

    def get_params(self, ctx: Any) -> list[Any]:
        """What it takes, `--help` included."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for each in found:
            read = READERS.get(kind_of(each))
            if read is not None:
                reader = Typed(read, least=each.min, most=each.max)
                each.get_runtime_param = lambda reader=reader: reader
        return found


def kind_of(parameter: Any) -> Any:
    """The type of its value, or of each where there may be several."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation
