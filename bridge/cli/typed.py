"""What is typed on the command line, read as the values of a command's parameters.

typer would have pydantic do that, which takes longer to import than all else of a command. The readers that the
configuration has do it as well, and refuse in the same words. typer has no public place for them: on which of its
names that relies is told in docs/decisions/0041-what-a-start-imports.md.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from types import MethodType
from typing import Any, Final, get_args, get_origin

import typer

from bridge.config.kinds import NUMBER, SWITCH, TEXT, WHOLE, Kind, one_of
from bridge.config.section import Setting

KINDS: Final[dict[Any, Kind]] = {
    bool: SWITCH,
    int: WHOLE,
    float: NUMBER,
    str: TEXT,
    Path: Kind("path", Path),
}


class Typed:
    """Makes the value of a parameter of what was typed; typer calls that a runtime parameter."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, a list of them where there may be several; raises typer's BadParameter."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        return [self._read(each, param, ctx) for each in value] if several else self._read(value, param, ctx)

    def _read(self, value: object, param: Any, ctx: Any) -> Any:
        try:
            return self._setting.read(value)
        except ValueError as error:
            raise typer.BadParameter(f"{value!r}: {error}", ctx=ctx, param=param) from error


def read_by_us(command: Any) -> Any:
    """The command, and those below it, with such readers."""
    command.get_params = MethodType(parameters, command)
    for below in getattr(command, "commands", {}).values():
        read_by_us(below)
    return command


def parameters(command: Any, context: Any) -> list[Any]:
    """What a command takes, `--help` included; what is of a kind that no reader is for is left to typer."""
    found: list[Any] = type(command).get_params(command, context)
    for parameter in found:
        kind = kind_of(parameter)
        if kind is not None:
            reader = Typed(Setting(kind, ge=parameter.min, le=parameter.max))
            parameter.get_runtime_param = lambda reader=reader: reader
    return found


def kind_of(parameter: Any) -> Kind | None:
    """What its values are, each of them where there may be several; None where nothing here reads such."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return one_of(*annotation)
    return KINDS.get(annotation)
