"""Cells: brokers that share the users among them, each with its own. What a cell is, and who goes where. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAIN = 0
"""The number of the cell that the configuration names: of an installation without others it is the only one."""
MAIN_NAME = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A broker with some of the users. What is empty is as the configuration has it, or not there.

    `logins_for` says whose login files are kept in `logins_dir`, and `logins_hook` is the command that has them read.
    Of one that is `draining` nobody new gets part.
    """

    cell_id: int
    name: str
    url: str
    ca_file: str = ""
    password_file: str = ""
    logins_for: str = ""
    logins_dir: str = ""
    logins_hook: tuple[str, ...] = ()
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Occupied:
    """A cell and how many users it has."""

    cell: Cell
    users: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """A user of whom topics are left at a cell, and the cell where they are now, None for one who is gone.

    `let_go` says that the broker of the former was told to let them in no more; `user_id` is 0 for one who is gone.
    """

    cell_id: int
    name: str
    let_go: bool
    now_at: int | None = None
    user_id: int = 0


def emptiest(cells: Iterable[Occupied]) -> Cell | None:
    """Where the next user goes: where the fewest are of all that are not draining, the oldest of equals.

    None when all are draining.
    """
    open_to_all = [each for each in cells if not each.cell.draining]
    return min(open_to_all, key=lambda each: (each.users, each.cell.cell_id)).cell if open_to_all else None


def spread(count: int, cells: Iterable[Occupied]) -> list[Cell]:
    """Where so many users go, one after the other; empty when all cells are draining."""
    levels = {each.cell.cell_id: each for each in cells if not each.cell.draining}
    places: list[Cell] = []
    while levels and len(places) < count:
        cell = emptiest(levels.values())
        assert cell is not None
        places.append(cell)
        levels[cell.cell_id] = Occupied(cell, levels[cell.cell_id].users + 1)
    return places


# --- what a proxy is told: a file of lines, each a user and the name of a cell, sorted by user ------------------


def line(user: str, cell: str) -> str:
    """A line of the map."""
    return f"{user} {cell}\n"


@dataclass(frozen=True, slots=True)
class MapChange:
    """A line of the map that is other than it was: `before` is None for a new one, `now` for one that went."""

    user: str
    before: str | None
    now: str | None


def changes(before: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]) -> Iterator[MapChange]:
    """What makes of one map another; both are pairs of user and cell."""
    old, new = dict(before), dict(now)
    for user in sorted(old.keys() | new.keys()):
        if old.get(user) != new.get(user):
            yield MapChange(user, old.get(user), new.get(user))


def parse(text: str) -> list[tuple[str, str]]:
    """The pairs of a map; lines that are none are left out."""
    words = (each.split() for each in text.splitlines())
    return [(some[0], some[1]) for some in words if len(some) == 2]
