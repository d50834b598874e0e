"""What a benchmark found: tables and charts as values, kept as JSON, from which the report is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Cell = str | float | int | None


class MiscountError(AssertionError):
    """The work does not add up, so there is no figure."""


def agree(what: str, expected: int, **counted: int) -> None:
    """Raise MiscountError unless each count is what is expected."""
    if any(count != expected for count in counted.values()):
        told = ", ".join(f"{count} {name}" for name, count in counted.items())
        raise MiscountError(f"no figure for {what}: {expected} expected, {told}")


@dataclass(frozen=True)
class Table:
    """Figures in rows; a note says what they mean or how they were worked out."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """Lines over x with both axes logarithmic if `logarithmic`, else bars for each x in words."""

    name: str
    """Of its file."""
    title: str
    x: Sequence[str] | Sequence[float]
    series: Mapping[str, Sequence[float | None]]
    x_title: str = ""
    y_title: str = ""
    logarithmic: bool = False

    @property
    def lines(self) -> bool:
        """Whether x is a number."""
        return all(not isinstance(x, str) for x in self.x)


@dataclass(frozen=True)
class Result:
    """One benchmark: what it was about, under which conditions, and what came of it."""

    suite: str
    title: str
    about: str
    conditions: str
    tables: list[Table]
    charts: list[Chart]
    where: str = ""
    """On what it was measured, as far as that says anything."""

    def write(self, path: Path) -> None:
        """Keep it."""
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", "utf-8")


def read(path: Path) -> Result:
    """What was kept."""
    found = json.loads(path.read_text("utf-8"))
    tables, charts = found.pop("tables"), found.pop("charts")
    return Result(**found, tables=[Table(**each) for each in tables], charts=[Chart(**each) for each in charts])


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The power of x that y grows with: the slope of the straight line through the logarithms, by least squares."""
    from math import log
    from statistics import linear_regression

    return linear_regression([log(x) for x in xs], [log(y) for y in ys]).slope


def shown(cell: Cell) -> str:
    """A figure with three digits that mean something, as people read it."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"
