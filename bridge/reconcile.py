"""What must be done so that a broker's retained set equals the live set: a pure set difference."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def fingerprint(payload: bytes) -> int:
    """Eight bytes that stand for a payload, so that large retained sets fit in memory."""
    return int.from_bytes(hashlib.blake2b(payload, digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths by what is wrong with them on the broker: not there, there with another payload, there and not desired."""

    missing: frozenset[str]
    different: frozenset[str]
    stale: frozenset[str]


def difference(desired: Mapping[str, int], observed: Mapping[str, int]) -> Difference:
    """What to do so that `observed` becomes `desired`, both path to fingerprint: each path is in one set at most."""
    return Difference(
        missing=frozenset(desired.keys() - observed.keys()),
        different=frozenset(path for path in desired.keys() & observed.keys() if desired[path] != observed[path]),
        stale=frozenset(observed.keys() - desired.keys()),
    )


@dataclass(frozen=True, slots=True)
class Observed:
    """The retained topics of some users as the broker replayed them: path to fingerprint of the payload.

    `acknowledged` are paths that the broker acknowledged on the same connection since the replay
    began: there the acknowledgement is newer than the replay, and right. `now_ms` is when it ended
    and `days` how old a live message may be: what is desired depends on both. `cell` is whose broker it is, where
    there are cells: there only those who are at it have topics.
    """

    users: frozenset[str]
    retained: Mapping[str, int]
    acknowledged: frozenset[str]
    now_ms: int
    days: float
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """What a reconciliation found: topics to mark for the outbox, by what is wrong, and topics that the broker held."""

    missing: int
    different: int
    stale: int
    held: int

    def __add__(self, other: Repair) -> Repair:
        """Both together."""
        return Repair(
            missing=self.missing + other.missing,
            different=self.different + other.different,
            stale=self.stale + other.stale,
            held=self.held + other.held,
        )

    @property
    def marked(self) -> int:
        """How many topics were marked for the outbox."""
        return self.missing + self.different + self.stale
