"""What is typed as the value of a parameter, and what the command gets of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from bridge.cli import main
from bridge.cli.lazily import made
from bridge.cli.typed import kind_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def typed(*words):
    """What a command's function is given."""
    got: dict[str, Any] = {}

    def paint(
        *,
        names: Annotated[list[str] | None, typer.Argument()] = None,
        file: Path | None = None,
        colour: Colour | None = None,
        coats: Annotated[int, typer.Option(min=1, max=3)] = 2,
        dry: Annotated[bool | None, typer.Option("--dry/--wet")] = None,
        also: list[Path] | None = None,
    ) -> None:
        got.update(names=names, file=file, colour=colour, coats=coats, dry=dry, also=also)

    made("paint", paint)(list(words), standalone_mode=False)
    return got


def test_what_is_not_typed_has_its_default():
    assert typed() == {"names": None, "file": None, "colour": None, "coats": 2, "dry": None, "also": None}


def test_what_is_typed_has_its_type():
    got = typed("a", "b", "--file", "x/y", "--colour", "blue", "--coats", "3", "--wet", "--also", "p", "--also", "q")
    assert (got["names"], got["also"]) == (["a", "b"], [Path("p"), Path("q")])
    assert (got["file"], got["colour"], got["coats"], got["dry"]) == (Path("x/y"), Colour.BLUE, 3, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--coats", "x"), "'x': not a whole number; write one, as 100"),
        (("--coats", "0"), "'0': too small; write 1 or more"),
        (("--coats", "4"), "'4': too large; write 3 or less"),
        (("--colour", "green"), "'green': not one of the choices; write 'red' or 'blue'"),
    ],
)
def test_what_cannot_be_meant_is_refused_as_in_a_configuration(words, message):
    with pytest.raises(typer.BadParameter) as told:
        typed(*words)
    assert told.value.message == message
    assert told.value.param.name == words[0].removeprefix("--")


def parameters(command, *path):
    """Each parameter of each command, by the words before it."""
    context = typer.Context(command)
    for parameter in command.get_params(context):
        yield pytest.param(parameter, id="-".join((*path, parameter.name)))
    for name in getattr(command, "commands", ()):
        yield from parameters(command.commands[name], *path, name)


@pytest.mark.parametrize("parameter", list(parameters(typer.main.get_command(main.app))))
def test_typer_has_nothing_left_to_read(parameter):
    assert kind_of(parameter) is not None
    assert type(parameter.get_runtime_param()).__module__ == "bridge.cli.typed"
