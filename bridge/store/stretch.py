"""What a walk through the rows of one cell came to, and how far the database was then. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.contract.publication import Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How far the database is: the `last` place that was given to a row, and transactions by their numbers.

    Of all that begin with a number lower than `oldest` none is under way any more, and `next_one` is above them all.
    `moves` grows whenever somebody goes to another cell.
    """

    last: int
    oldest: int
    next_one: int
    moves: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What was found from a place on, when that was begun, and the first places of the cell's own, if any."""

    found: list[Publication]
    began: Moment
    marked: int | None = None
    new: int | None = None
    views: int | None = None
