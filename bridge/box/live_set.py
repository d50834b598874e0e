"""The live set of a box: the newest `count` unseen messages that are no older than `days`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.contract import ids
from bridge.contract.expiry import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Retention:
    """What the live set of a user is: the newest `count` unseen messages no older than `days`."""

    count: int
    days: float


@dataclass(frozen=True, slots=True)
class Moves:
    """Numbers of messages that leave the live set and that enter it, each in their order."""

    leaves: tuple[int, ...] = ()
    enters: tuple[int, ...] = ()


def horizon(now_ms: int, days: float) -> int:
    """The smallest number that is young enough."""
    return ids.at(int(now_ms - days * DAY_MS))


def may_leave(live: int, coming: int, retention: Retention) -> int:
    """How many of the oldest `live` messages may be pushed out by so many that come."""
    return min(live, max(0, live + coming - retention.count))


def pushed_out(oldest: Sequence[int], fresh: Sequence[int], *, live: int, retention: Retention, now_ms: int) -> Moves:
    """What leaves because of new messages, and because it is too old; the `fresh` ones have entered already.

    `live` is how many messages were live before, `oldest` those of them that may leave: the first `may_leave` of them,
    and all that are too old.
    """
    candidates = [*oldest, *fresh]
    excess = max(0, live + len(fresh) - retention.count)
    young = horizon(now_ms, retention.days)
    leaves = candidates[:excess] + [number for number in candidates[excess:] if number < young]
    return Moves(leaves=tuple(leaves))


def renewed(current: Iterable[int], wanted: Iterable[int]) -> Moves:
    """From what the live set is to what it should be."""
    before, after = set(current), set(wanted)
    return Moves(leaves=tuple(sorted(before - after)), enters=tuple(sorted(after - before)))
