"""What the clients' commands say of themselves, as JSON: for the manual page and for the completion of `postbell`."""

from __future__ import annotations

import json
from typing import Any


def described(group: Any, context: Any) -> str:
    """A list of commands: `words`, `help`, and `parameters` with `names`, `value`, `choices`, `help`, `required`.

    A parameter without names is an argument, one without a value a switch.
    """
    return json.dumps(
        [
            {"words": [name], "help": command.help, "parameters": [_of(each, context) for each in command.params]}
            for name, command in group.commands.items()
            if not command.hidden
        ]
    )


def _of(parameter: Any, context: Any) -> dict[str, Any]:
    argument = parameter.param_type_name == "argument"
    _, text = parameter.get_help_record(context)
    return {
        "names": [] if argument else [*parameter.opts, *parameter.secondary_opts],
        "value": "" if getattr(parameter, "is_flag", False) else parameter.metavar,
        "choices": [],
        "help": " ".join(text.removesuffix("[required]").split()),
        "required": parameter.required,
    }
