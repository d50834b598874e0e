"""The configuration, as bridge and broker judge it together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config import brokers, checking, loading, source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.config.problems import Problem
    from bridge.config.settings import Settings


@dataclass(frozen=True, slots=True)
class ConfigurationSeen:
    """The file that is used, if any, what it says, and all mistakes in it; `silent` when the broker could not judge.

    `strangers` are variables with our prefix that set nothing: they may be another program's.
    """

    path: Path | None
    settings: Settings
    problems: tuple[Problem, ...]
    strangers: tuple[Problem, ...] = ()
    silent: str = ""


def look(explicit: Path | None, *, environ: Mapping[str, str] = os.environ) -> ConfigurationSeen:
    """The facts; raises ConfigurationError when there is no file of the name that was given.

    Whether the files that it names can be read is another question: of the user that the service runs as.
    """
    path = loading.find(explicit, environ)
    read = source.read(path, environ, checking.known())
    checked = checking.check(read)
    told = {problem.key for problem in checked.problems}
    try:
        answers = brokers.problems(checked.values)
    except brokers.BrokerSilentError as error:
        return ConfigurationSeen(path, checked.settings, checked.problems, read.strangers, silent=str(error))
    theirs = [
        read.problem(key, each["problem"], each["cure"], value=checking.written(read.values, key))
        for each in answers
        if each["key"] not in told and (key := tuple(each["key"].split(".")))
    ]
    problems = checking.in_order([*checked.problems, *theirs])
    return ConfigurationSeen(path, checked.settings, problems, read.strangers)
