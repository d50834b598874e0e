"""Where the rows of one cell begin, among those that wait for all of them. Pure.

A row gets its place before its transaction is committed, so one may be seen later than others behind it. A walk leaves
out only what lies before a place of which that is known to be over: all transactions have ended that may have been
under way when it was the last one (`Beginnings.sure`). Whoever has its place and no number of its own yet has one a
moment later; and every ten minutes a walk begins at the start, in case that a moment was long. So it does behind each
move from cell to cell, which brings older rows, and when there are other shards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.store.stretch import Moment, Stretch

MOMENT_S = 1.0
"""So much later whoever had taken a place has a transaction with a number, which it takes in the same statement."""
WALK_S = 600.0
"""So often a walk begins at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginnings:
    """Where to begin: with what was marked, with new mails, with views. 0 is the start, as of the `moves` until then.

    Up to `sure` all rows are to be seen. That is so for `noted`, which was the last place at `noted_at`, once there is
    nobody any more of those before `until`, which is known MOMENT_S later.
    """

    began_at: float
    moves: int = 0
    marked: int = 0
    new: int = 0
    views: int = 0
    sure: int = 0
    noted: int | None = None
    noted_at: float = 0.0
    until: int | None = None


def grown_old(since: Beginnings, *, now: float) -> bool:
    """Whether it is time for the next walk to begin at the start."""
    return now - since.began_at > WALK_S


def anew(since: Beginnings, *, now: float, moves: int | None = None) -> Beginnings:
    """To begin at the start; what is sure of places stays so."""
    known = since.moves if moves is None else moves
    return replace(since, began_at=now, moves=known, marked=0, new=0, views=0)


def after_messages(since: Beginnings, walk: Stretch, *, new: bool, now: float) -> Beginnings:
    """Where the next walk begins behind one for messages; one without `new` ones says nothing of where these begin."""
    known = _surer(since, walk.began, now=now)
    marked = _next(known.marked, walk.marked, known.sure)
    return replace(known, marked=marked, new=_next(known.new, walk.new, known.sure) if new else known.new)


def after_views(since: Beginnings, walk: Stretch, *, now: float) -> Beginnings:
    """The same behind one for views."""
    known = _surer(since, walk.began, now=now)
    return replace(known, views=_next(known.views, walk.views, known.sure))


def _surer(since: Beginnings, began: Moment, *, now: float) -> Beginnings:
    if since.noted is None:
        return replace(since, noted=began.last, noted_at=now, until=None)
    if since.until is None:
        return replace(since, until=began.next_one) if now - since.noted_at > MOMENT_S else since
    if began.oldest >= since.until:
        return replace(since, sure=since.noted + 1, noted=began.last, noted_at=now, until=None)
    return since


def _next(before: int, first: int | None, sure: int) -> int:
    return max(before, min(sure, sure if first is None else first))
