"""What may stand where on the command line, as each script has it in a table of its own. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.cli.shells.described import Described, Parameter

FILES, DIRECTORIES, NOTHING = "@files", "@directories", "@nothing"
USERS, DEVICES, PAIRS = "@users", "@devices", "@pairs"
_BY_VALUE = {
    "FILE": FILES,
    "FILE.eml": FILES,
    "DIR": DIRECTORIES,
    "USER": USERS,
    "DEVICE": DEVICES,
    "USER/DEVICE": PAIRS,
}
_BY_COMMAND = {"user": USERS, "sender": "@senders", "admin": "@admins", "node": "@nodes"}
"""Whose names stand for the NAME of a command below."""
_OF_WHAT_IS_NEW = {"user": "NAME", "device": "DEVICE", "sender": "NAME", "admin": "NAME", "node": "NAME"}
"""What an `add` names that is not there yet."""


@dataclass(frozen=True, slots=True)
class Position:
    """A command by its words: the words that may follow, with a line of help each, and what options and arguments take.

    What is taken is a list of words with commas between them, or begins with `@` and names what is looked up.
    """

    path: str
    commands: tuple[tuple[str, str], ...]
    switches: tuple[tuple[str, str], ...]
    valued: tuple[tuple[str, str, str], ...]
    arguments: tuple[str, ...]


def positions(root: Described) -> list[Position]:
    """All positions on a command line."""
    return [
        Position(
            " ".join(command.words),
            tuple((each.words[-1], brief(each.help)) for each in command.below),
            tuple((name, brief(each.help)) for each in command.options if not each.value for name in each.names),
            tuple(
                (name, brief(each.help), taken(command, each))
                for each in command.options
                if each.value
                for name in each.names
            ),
            tuple(taken(command, each) for each in command.arguments),
        )
        for command in root.all()
    ]


def taken(command: Described, parameter: Parameter) -> str:
    """What may stand for a parameter's value."""
    if parameter.choices:
        return ",".join(parameter.choices)
    of = command.words[0] if command.words else ""
    if command.words[-1:] == ("add",) and parameter.value == _OF_WHAT_IS_NEW.get(of):
        return NOTHING
    if parameter.value == "NAME" and not parameter.names:
        return _BY_COMMAND.get(of, NOTHING)
    return _BY_VALUE.get(parameter.value, NOTHING)


def brief(text: str) -> str:
    """The first sentence of a help text, without its stop."""
    first = text.split("  [", maxsplit=1)[0].split(". ", maxsplit=1)[0]
    return first.split(" [", maxsplit=1)[0].removesuffix(".")
