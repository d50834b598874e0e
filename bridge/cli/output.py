"""How commands print what they found: JSON for programs, a table for people."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def print_json(value: Any, *, err: bool = False) -> None:
    """One JSON value on standard output, or on standard error where the output is something else."""
    typer.echo(json.dumps(value, ensure_ascii=False), err=err)


def moment(unix_ms: int) -> str:
    """A moment as people and programs read it: `2026-07-01T12:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_ms / 1000))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """A table for people; plain and unwrapped when it goes into a pipe."""
    rows = list(rows)
    if not rows:
        typer.echo(empty)
        return
    if not _for_people():
        for row in rows:
            typer.echo("\t".join(row))
        return
    from rich.console import Console  # noqa: PLC0415 - programs and pipes do without, and it takes as long as a query
    from rich.table import Table  # noqa: PLC0415

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _for_people() -> bool:
    """Whether standard output is a terminal, or is to be taken for one (docs of FORCE_COLOR and TTY_COMPATIBLE)."""
    taken_for_one = os.environ.get("TTY_COMPATIBLE") or os.environ.get("FORCE_COLOR")
    return sys.stdout.isatty() if taken_for_one is None else taken_for_one not in {"", "0"}
