"""What kept a process from running, told with every other mistake of the configuration, each with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.cli import edge
from bridge.cli.config import judged
from bridge.config import loading
from bridge.daemon.child import BrokerRefusesError
from bridge.errors import ConfigurationError, PostbellError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bridge.config.problems import Problem


def explain(error: BaseException, config: Path | None) -> None:
    """Raise ConfigurationError with what `config check` says, where that has what the error is about; else do nothing.

    What may pass by itself is left out: nothing ends for that.
    """
    leaves = [leaf for leaf in edge.leaves(error) if isinstance(leaf, ConfigurationError)]
    if not leaves:
        return
    try:
        problems = _lasting(config)
    except PostbellError:
        return
    told = any(isinstance(leaf, BrokerRefusesError) or _is_about(leaf, problems) for leaf in leaves)
    if problems and told:
        raise ConfigurationError("\n".join(map(str, problems))) from error


def _lasting(config: Path | None) -> list[Problem]:
    return [each for each in judged(loading.find(config)).problems if not each.may_pass]


def _is_about(error: ConfigurationError, problems: Iterable[Problem]) -> bool:
    return any(problem.key and problem.key in str(error) for problem in problems)
