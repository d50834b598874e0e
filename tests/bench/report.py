"""The generated part of docs/benchmarks.md, with its charts: written from what the benchmarks found, never by hand.

make bench ARGS="report"                          # measures all five on this machine, then writes
make bench ARGS="report --only polling,payload"   # measures these anew
make bench ARGS="report --render"                 # writes only, from docs/benchmarks/*.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import charts
from tests.bench.result import read, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.result import Cell, Result, Table

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
SUITES = ("throughput", "latency", "polling", "payload", "growth")
BEGIN = "<!-- From here on written by `make bench ARGS=report`, out of docs/benchmarks/: change nothing by hand. -->"
END = "<!-- Up to here. -->"


def row(cells: Sequence[Cell]) -> str:
    """A line of a table."""
    return "| " + " | ".join(shown(cell) for cell in cells) + " |"


def table(found: Table) -> list[str]:
    """A table as Markdown."""
    lines = [f"**{found.title}**", "", row(found.columns), "|---" + "|---:" * (len(found.columns) - 1) + "|"]
    lines += [row(each) for each in found.rows]
    return [*lines, "", *([found.note, ""] if found.note else [])]


def section(result: Result, folder: str) -> list[str]:
    """A result as Markdown."""
    lines = [f"## {result.title}", "", result.about, "", f"{result.conditions} {result.where}".strip(), ""]
    for found in result.tables:
        lines += table(found)
    for chart in result.charts:
        lines += [f"![{chart.title}]({folder}/{chart.name}.svg)", ""]
    return lines


def generated(results: Sequence[Result], folder: str) -> str:
    """The whole generated part."""
    lines = [BEGIN, ""]
    for result in results:
        lines += section(result, folder)
    return "\n".join([*lines, END])


def write(page: Path, text: str) -> None:
    """Put the generated part in its place, at the end where there is none; what stands around it stays."""
    whole = page.read_text("utf-8")
    before, begin, rest = whole.partition(BEGIN)
    after = rest.partition(END)[2] if begin else "\n"
    page.write_text(before.rstrip() + "\n\n" + text + after, "utf-8")


def render(page: Path, folder: Path) -> None:
    """Charts and page from the results that are kept in a folder beside the page."""
    results = [read(folder / f"{suite}.json") for suite in SUITES if (folder / f"{suite}.json").exists()]
    for result in results:
        for chart in result.charts:
            (folder / f"{chart.name}.svg").write_text(charts.svg(chart), "utf-8")
    write(page, generated(results, folder.name))


def measure(suites: Sequence[str], folder: Path, options: Sequence[str]) -> None:
    """Run these, each in a process of its own, and keep what they found; raises CalledProcessError."""
    folder.mkdir(exist_ok=True)
    for suite in suites:
        command = [sys.executable, "-m", f"tests.bench.{suite}", "--json", str(folder / f"{suite}.json"), *options]
        subprocess.run(command, check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; what is not known here goes to the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render", action="store_true", help="measure nothing")
    parser.add_argument("--only", default=",".join(SUITES), metavar="NAME,…")
    parser.add_argument("--page", type=Path, default=PAGE, help="another page than docs/benchmarks.md")
    given, rest = parser.parse_known_args(arguments)
    folder = given.page.with_suffix("")
    if not given.render:
        try:
            measure(given.only.split(","), folder, rest)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"nothing is written: {' '.join(error.cmd[2:])} ended with {error.returncode}\n")
            return 1
    render(given.page, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
