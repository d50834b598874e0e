"""The table of a suite: one line a run, what was found, and the figures of all together."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.crash.run import Outcome
    from tests.crash.suite import Job

COLUMNS = ("broker", "run", "s", "kills", "cuts", "accepted", "shown", "lost", "twice", "leaked", "other")
WIDTHS = (20, 10, 6, 6, 6, 9, 7, 6, 6, 7, 6)
FINDINGS = 12
"""How many findings of one run are printed."""


class Table:
    """Prints as it goes, to standard output."""

    def __init__(self) -> None:
        self._headed = False

    def add(self, job: Job, outcome: Outcome, directory: Path, *, keep: bool) -> None:
        """One run. The directory of a clean one is removed, unless it is to be kept."""
        if not self._headed:
            self._headed = True
            _line(COLUMNS)
        _line((job.broker, job.name, f"{outcome.seconds:.0f}", *figures([outcome])))
        if outcome.promotions:
            sys.stdout.write(f"    {outcome.promotions} promotions\n")
        for finding in outcome.findings[:FINDINGS]:
            sys.stdout.write(f"    {finding}\n")
        if outcome.findings:
            sys.stdout.write(f"    history and logs: {directory}\n")
            sys.stdout.write(f'    again: make test-crash ARGS="{job.again}"\n')
        elif not keep:
            shutil.rmtree(directory)
        sys.stdout.flush()

    def summary(self, outcomes: Iterable[Outcome]) -> None:
        """All runs together."""
        outcomes = list(outcomes)
        if promotions := sum(outcome.promotions for outcome in outcomes):
            sys.stdout.write(f"{promotions} promotions\n")
        _line(("all", str(len(outcomes)), f"{sum(outcome.seconds for outcome in outcomes):.0f}", *figures(outcomes)))


def figures(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """Kills, cuts, accepted, shown, lost, twice, leaked, and all other findings."""
    outcomes = list(outcomes)
    verdicts = [outcome.verdict for outcome in outcomes]
    other = sum(len(v.invented) + len(v.disagree) + len(v.unrung) for v in verdicts) + sum(
        bool(outcome.stuck) for outcome in outcomes
    )
    sums = (
        sum(outcome.kills for outcome in outcomes),
        sum(outcome.cuts for outcome in outcomes),
        sum(verdict.accepted for verdict in verdicts),
        sum(verdict.shown for verdict in verdicts),
        sum(len(verdict.lost) for verdict in verdicts),
        sum(len(verdict.twice) for verdict in verdicts),
        sum(len(verdict.leaked) for verdict in verdicts),
        other,
    )
    return tuple(str(each) for each in sums)


def _line(cells: Iterable[str]) -> None:
    sys.stdout.write("".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True)) + "\n")
