"""What every command says of itself, looked up: for the manual page and for the completion of shells."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from bridge.cli import plain, processes
from bridge.cli.shells.described import Described, Parameter


def everything(root: Any) -> Described:
    """The whole command line; what `watch` and `read` take is asked of the client that they become."""
    context = root.make_context("postbell", [], resilient_parsing=True)
    of_clients = {each.words: each for each in clients()}

    def describe(command: Any, words: tuple[str, ...]) -> Described:
        if words in of_clients:
            return of_clients[words]
        below = getattr(command, "commands", {}).items()
        shown = [each for each in command.get_params(context) if not each.hidden]
        return Described(
            words,
            " ".join(command.help.split()) if command.help else "",
            tuple(_parameter(each, context) for each in shown),
            tuple(describe(each, (*words, name)) for name, each in below if not each.hidden),
        )

    return describe(root, ())


def clients() -> list[Described]:
    """What the clients' program says of its commands."""
    told = subprocess.run(processes.command("clients", "described"), capture_output=True, check=True).stdout  # noqa: S603 - ours
    return [
        Described(
            tuple(each["words"]),
            " ".join(each["help"].split()),
            tuple(
                Parameter(tuple(one["names"]), one["value"], tuple(one["choices"]), one["help"], one["required"])
                for one in [*each["parameters"], *_CONFIG]
            ),
        )
        for each in json.loads(told)
    ]


_CONFIG = [
    {"names": ["--config"], "value": "FILE", "choices": [], "help": "The configuration file.", "required": False},
    {"names": ["-h", "--help"], "value": "", "choices": [], "help": "Show this message and exit.", "required": False},
]
"""What the bridge's command line does for them."""


def _parameter(parameter: Any, context: Any) -> Parameter:
    argument = parameter.param_type_name == "argument"
    takes_none = not argument and (parameter.is_flag or parameter.count)
    _, text = plain.described(parameter, context)
    return Parameter(
        () if argument else tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=_long)),
        "" if takes_none else plain.called(parameter),
        tuple(str(choice.value) for choice in parameter.type_descriptor.choices or ()),
        " ".join(text.split()),
        parameter.required,
    )


def _long(name: str) -> bool:
    """Short names first; typer has those of `--help` in no order."""
    return name.startswith("--")
