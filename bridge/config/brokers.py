"""The broker's part of the configuration, of which the broker's own program is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_S = 30.0


class BrokerSilentError(PostbellError):
    """The broker's program did not answer as it should: a defect, or a broken installation."""


def problems(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the broker finds wrong in its part: `key`, `value`, `problem` and `cure` of each. Raises BrokerSilentError.

    It is a process of its own, and takes half as long as all else of a command: not for each.
    """
    problems: list[dict[str, Any]] = _ask("check", json.dumps(values, default=str))
    return problems


def described() -> list[dict[str, Any]]:
    """Its keys: `name`, `kind`, `default`, `meaning`, and bounds `ge`, `gt`, `le`. Raises BrokerSilentError."""
    described: list[dict[str, Any]] = _ask("describe", "")
    return described


def shown(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its keys as `described`, each with its `value` for what file and variables say, in which is no mistake.

    Raises BrokerSilentError.
    """
    shown: list[dict[str, Any]] = _ask("show", json.dumps(raw, default=str))
    return shown


def _ask(question: str, said: str) -> Any:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTBELL_")}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "broker.telling", question],
            capture_output=True,
            check=True,
            env=environ,
            input=said,
            text=True,
            timeout=ANSWER_S,
        )
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise BrokerSilentError(f"the broker's program does not tell of its configuration: {error}") from error
