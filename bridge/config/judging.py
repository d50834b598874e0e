"""All that is wrong with a configuration at once: its text, the broker's part of it, and what only the system knows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.config import brokers, checking, loading, source, system

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.config.problems import Problem
    from bridge.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found. `settings` has the defaults for what is wrong in the text; `path` is None without a file."""

    path: Path | None
    settings: Settings
    problems: tuple[Problem, ...]


def judge(explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Judgement:
    """Judge the configuration that `loading.load` would load, as the user that this process is.

    Asks the broker's program about its keys, for a fifth of a second. Raises ConfigurationError when there is no file
    of the name that was given, BrokerSilentError when the broker's program cannot be run.
    """
    path = loading.find(explicit, environ)
    read = source.read(path, environ, checking.known())
    checked = checking.check(read)
    told = {problem.key for problem in checked.problems}
    later = [
        *((tuple(each["key"].split(".")), each["problem"], each["cure"]) for each in brokers.problems(checked.values)),
        *((each.key, each.problem, each.cure) for each in system.faults(checked.settings)),
    ]
    others = [
        read.problem(key, problem, cure, value=checking.written(read.values, key))
        for key, problem, cure in later
        if ".".join(key) not in told
    ]
    return Judgement(path, checked.settings, checking.in_order([*checked.problems, *others]))
