"""How a benchmark is run from the command line: its size, its progress, and what becomes of its result."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Shown

from tests.bench.result import MiscountError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.bench.result import Result


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    small: bool = False
    """So little that it only shows that it works."""
    long: bool = False
    """Also what takes an hour."""
    rounds: int = 3
    workers: int = 0
    """Processes of the bridge that converse and read."""
    progress: Progress | None = None

    def steps(self, what: str, steps: Iterable) -> Iterator:
        """The steps one after another, as a bar."""
        steps = list(steps)
        if self.progress is None:
            yield from steps
            return
        yield from self.progress.track(steps, description=what)


def main(measure: Callable[[Options], Result], arguments: list[str] | None = None) -> int:
    """Measure, print, and write JSON if that was asked for; 1 and no figure where the work does not add up."""
    parser = argparse.ArgumentParser(
        description=sys.modules[measure.__module__].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="so little that it only shows that it works")
    parser.add_argument("--long", action="store_true", help="also what takes an hour")
    parser.add_argument("--rounds", type=int, default=None, help="how often; medians are told")
    parser.add_argument("--workers", type=int, default=0, help="how many workers a bridge has, where mail is offered")
    parser.add_argument("--json", type=Path, help="where to keep the result")
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        rounds = given.rounds or (1 if given.small else 3)
        try:
            size = {"small": given.small, "long": given.long, "rounds": rounds}
            result = measure(Options(**size, workers=given.workers, progress=progress))
        except MiscountError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    result = replace(result, where=machine())
    tell(result)
    if given.json:
        result.write(given.json)
    return 0


def machine() -> str:
    """What this machine is, and how busy it was lately."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    what = f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}"
    return f"Measured {day} on {what}, at a load of {os.getloadavg()[2]:.1f}."


def tell(result: Result) -> None:
    """The tables for people."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(f"[bold]{result.title}[/bold]\n{result.conditions} {result.where}", highlight=False)
    for table in result.tables:
        drawn = Shown(title=table.title, caption=table.note or None, title_justify="left", caption_justify="left")
        for number, column in enumerate(table.columns):
            drawn.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            drawn.add_row(*map(shown, row))
        console.print(drawn)
