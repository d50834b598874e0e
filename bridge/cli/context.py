"""What every command shares: the configuration option, the store, and how output is printed."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bridge.config import settings as configuration
from bridge.daemon import control, runfile
from bridge.store import offline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bridge.config.settings import Settings
    from bridge.store.writer import Transaction

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

LOOK_S = 2.0


def chosen(context: typer.Context, config: Path | None) -> Path | None:
    """The file named at the command, or before it."""
    before: Path | None = context.find_root().params.get("config")
    return config or before


def settings(context: typer.Context, config: Path | None) -> Settings:
    """The configuration for this command; raises ConfigurationError."""
    return configuration.load(chosen(context, config))


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@contextmanager
def changing(given: Settings) -> Iterator[Transaction]:
    """One transaction on the store. A running bridge knows of it when this returns, the broker within a second."""
    with offline.transaction(
        given.database, now_ms=now_ms(), count=given.retain.count, days=given.retain.days
    ) as transaction:
        yield transaction
    if runfile.running(given.run_dir, runfile.BRIDGE):
        with suppress(control.ControlError):  # it looks by itself as well, a little later
            control.ask(given.run_dir, {"do": "look"}, deadline_s=LOOK_S)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """A table for people; plain and unwrapped when it goes into a pipe."""
    rows = list(rows)
    if not rows:
        typer.echo(empty)
        return
    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
