"""All that is wrong with a configuration at once: its text, the broker's part of it, and what only the system knows."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.config import brokers, checking, loading, source, system
from bridge.config.brokers import BrokerSilentError
from bridge.config.brokers_keys import BROKERS_KEYS
from bridge.config.system import Fault
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bridge.config.checking import Checked
    from bridge.config.problems import Problem
    from bridge.config.settings import Settings
    from bridge.config.source import Source


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found. `settings` has the defaults for what is wrong; `source` knows where each key stands."""

    source: Source
    settings: Settings
    problems: tuple[Problem, ...]

    @property
    def path(self) -> Path | None:
        """The file that was judged; None without one."""
        return self.source.path

    def including(self, faults: Iterable[Fault]) -> Judgement:
        """The same with more that the system knows, but for keys in which something is wrong already."""
        told = {problem.key for problem in self.problems}
        more = [_placed(self.source, self.settings, fault) for fault in faults if fault.name not in told]
        return replace(self, problems=checking.in_order([*self.problems, *more]))


def judge(
    explicit: Path | None = None, *, environ: Mapping[str, str] = os.environ, for_bridge: bool = True
) -> Judgement:
    """Judge the configuration that `loading.load` would load, as the user that this process is.

    Not `for_bridge`, what only the bridge needs of the system may be missing: the broker may run elsewhere.

    Asks the broker's program about its keys, for a fifth of a second. Raises ConfigurationError when there is no file
    of the name that was given.
    """
    read = source.read(loading.find(explicit, environ), environ, checking.known())
    checked = checking.check(read)
    of_text = Judgement(read, checked.settings, checking.in_order([*checked.problems, *read.strangers]))
    judgement = of_text.including(_of_the_broker(checked))
    return judgement.including(system.faults(checked.settings)) if for_bridge else judgement


def refuse(explicit: Path | None) -> None:
    """Raise ConfigurationError with every mistake that keeps the broker from running; do nothing without any."""
    problems = [each for each in judge(explicit, for_bridge=False).problems if not each.may_pass]
    if problems:
        raise ConfigurationError("\n".join(map(str, problems)))


def _of_the_broker(checked: Checked) -> list[Fault]:
    if not checked.values.keys() & BROKERS_KEYS.keys():
        return []  # nothing is said of it, so that a process of its own need not be asked
    try:
        told = brokers.problems(checked.values)
    except BrokerSilentError as error:
        return [Fault((), str(error), f"install Postbell where user {system.whoami()} may read it")]
    return [Fault(tuple(each["key"].split(".")), each["problem"], each["cure"]) for each in told]


def _placed(read: Source, settings: Settings, fault: Fault) -> Problem:
    value = checking.written(read.values, fault.key)
    value = _by_default(settings, fault.key) if value == "" else value
    return replace(read.problem(fault.key, fault.problem, fault.cure, value=value), may_pass=fault.may_pass)


def _by_default(settings: object, key: tuple[str, ...]) -> str:
    for part in key:
        settings = getattr(settings, part, None)
    return "" if settings is None else str(settings)
