"""The parts of a mail as `read --parts` prints them: a table for people, lines for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from clients.terminal.screen import readable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clients.contract.requests import Part
    from clients.terminal.output import Output


def print_parts(listed: Iterable[Part], stdout: Output, *, as_json: bool) -> None:
    """Print them; names come from a mail, and command no terminal."""
    if as_json:
        for each in listed:
            stdout.write(json.dumps(asdict(each), ensure_ascii=False).encode() + b"\n")
    elif sys.stdout.isatty():
        _print_table(listed)
    else:
        for each in listed:
            row = (str(each.index), readable(each.content_type), str(each.size), readable(each.file_name))
            stdout.write("\t".join(row).encode() + b"\n")


def none_of(listed: Iterable[Part], number: int | None) -> str:
    """What is said of a number that no part has: which parts there are."""
    there = [
        " ".join(filter(None, (str(each.index), readable(each.content_type), readable(each.file_name))))
        for each in listed
    ]
    return f"this mail has no part {number}; it has {', '.join(there) or 'none'}"


def _print_table(listed: Iterable[Part]) -> None:
    from rich.console import Console  # noqa: PLC0415 - for a terminal alone
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("part", "type", "size", "file name", box=None)
    for each in listed:
        row = (str(each.index), readable(each.content_type), f"{each.size:,}", readable(each.file_name))
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
