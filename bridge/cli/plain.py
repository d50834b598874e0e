"""Help in plain text: what a parameter is called, once, and no names of Python's types."""

from __future__ import annotations

from types import MethodType
from typing import Any


def made_plain(command: Any) -> Any:
    """The command, and those below it, with such help; typer has a class for each of its own."""
    command.collect_usage_pieces = MethodType(_usage, command)
    command.format_options = MethodType(_write, command)
    for below in getattr(command, "commands", {}).values():
        made_plain(below)
    return command


def called(parameter: Any) -> str:
    """What stands for a value: its `metavar`, else what it may be, else its name in capitals."""
    choices = getattr(getattr(parameter, "type_descriptor", None), "choices", None) or ()
    return str(parameter.metavar or "|".join(str(choice.value) for choice in choices) or parameter.name.upper())


def described(parameter: Any, context: Any) -> tuple[str, str]:
    """An argument or option as it is written, and its help."""
    written, text = parameter.get_help_record(context)
    if parameter.param_type_name == "argument":
        return called(parameter), text.removesuffix("[required]").rstrip()
    if not (parameter.is_flag or parameter.count):
        written = f"{', '.join(parameter.opts)} {called(parameter)}"
    return written, text


def visible(command: Any, context: Any, kind: str) -> list[Any]:
    """The parameters of a kind, `argument` or `option`, that help shows."""
    return [each for each in command.get_params(context) if each.param_type_name == kind and not each.hidden]


def _usage(command: Any, context: Any) -> list[str]:
    pieces = ["[OPTIONS]"]
    for each in visible(command, context, "argument"):
        several = "..." if each.nargs != 1 else ""
        pieces.append(f"{called(each)}{several}" if each.required else f"[{called(each)}{several}]")
    return [*pieces, "COMMAND ..."] if hasattr(command, "commands") else pieces


def _write(command: Any, context: Any, formatter: Any) -> None:
    for heading, kind in (("Arguments", "argument"), ("Options", "option")):
        rows = [described(each, context) for each in visible(command, context, kind)]
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)
    if hasattr(command, "commands"):
        command.format_commands(context, formatter)
