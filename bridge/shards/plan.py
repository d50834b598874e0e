"""What one beat of a bridge does about its leases: which it keeps, takes, drains and gives back. Pure.

Users are spread over shards, and each shard has one owner: it alone publishes for its users. Who owns is a lease in the
database, with an epoch that grows at each change, so that what was said under an earlier one is known as such. A
shard changes hands when its owner gave it back, when its lease has ended, or when its owner is *dead*: silent, and
without a session at the database (docs/decisions/0065-who-publishes.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SHARDS = 64
"""So many shards of users there are, for good: they are rows of the database."""
BEAT_S = 1.0
"""How often a bridge renews its leases."""
LEASE_S = 4.0
"""How long a lease lasts that is not renewed, by the clock of the database."""
MARGIN_S = 1.0
"""A bridge stops so long before its lease ends, by its own clock: the two may run at different speeds."""
SILENT_S = 1.5
"""A node that has said nothing for so long is dead, if it has no session at the database either."""
SOON_S = 0.02
"""So long behind the end of a lease it is looked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A shard as the database has it. `left_s` is how long the lease still lasts there; it has ended from 0 on.

    `owner` is None where the last one gave it back. `unfenced` are earlier owners whose connections to the broker may
    still stand.
    """

    shard: int
    owner: str | None
    epoch: int
    left_s: float
    unfenced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A bridge as the database has it: how long it has been silent, and whether it has a session there."""

    name: str
    silent_s: float
    session: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What this process has: the epoch of each shard that it took.

    `draining` are those that it is to give back, and `busy` those of which something is in flight. It is `judging`
    others only when it was not away from the database itself: else all of them seem silent.
    """

    node: str
    epochs: Mapping[int, int]
    draining: frozenset[int] = frozenset()
    busy: frozenset[int] = frozenset()
    judging: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What to do now. `take` has the epochs at which the shards were found free, by shard.

    `lost` are served by somebody else, or may be. `draining` are all that are not to be taken from any more, and
    `release` those of them that can be given back.
    """

    lost: frozenset[int] = frozenset()
    dead: frozenset[str] = frozenset()
    take: Mapping[int, int] = field(default_factory=dict)
    draining: frozenset[int] = frozenset()
    release: frozenset[int] = frozenset()
    again_s: float = BEAT_S
    """After how long the next beat is due, from the beginning of this one."""


def shard_of(user_id: int) -> int:
    """The shard of a user, for good; what belongs to nobody is of user 0."""
    return user_id % SHARDS


def fair_share(nodes: int) -> int:
    """How many shards each of so many nodes has at most."""
    return -(-SHARDS // max(1, nodes))


def is_dead(node: Node) -> bool:
    """Whether its leases need not be waited for. One that merely lost the database is fenced at the broker."""
    return node.silent_s > SILENT_S and not node.session


def is_there(node: Node) -> bool:
    """Whether it counts when shards are spread: it may have missed some beats as long as its leases could last."""
    return node.silent_s <= (LEASE_S if node.session else SILENT_S)


def plan(tenure: Tenure, leases: Iterable[Lease], nodes: Collection[Node]) -> Beat:
    """The beat of a bridge whose leases were renewed a moment ago."""
    leases = list(leases)
    others = [node for node in nodes if node.name != tenure.node]
    kept = _kept(tenure, leases)
    share = fair_share(1 + sum(map(is_there, others)))
    dead = frozenset(node.name for node in others if is_dead(node)) if tenure.judging else frozenset()
    free = [lease for lease in leases if lease.shard not in kept and _is_free(lease, tenure.node, dead)]
    free.sort(key=lambda lease: (lease.owner != tenure.node, lease.shard))  # what this node had before comes first
    draining = _draining(tenure, kept, max(0, len(kept) - share))
    return Beat(
        lost=frozenset(tenure.epochs.keys() - kept),
        dead=frozenset(lease.owner for lease in leases if lease.owner in dead and lease.left_s > 0),
        take={lease.shard: lease.epoch for lease in free[: max(0, share - len(kept))]},
        draining=draining,
        release=(draining & tenure.draining) - tenure.busy,  # those of this moment may be in somebody's hands yet
        again_s=min([BEAT_S, *_ends(leases, tenure.node), *map(_dies_in_s, others)]),
    )


def _ends(leases: Iterable[Lease], me: str) -> Iterable[float]:
    """When leases of others end, unless they are renewed: no beat earlier than that has anything to take."""
    return [lease.left_s + SOON_S for lease in leases if lease.owner not in {None, me} and lease.left_s > 0]


def _dies_in_s(node: Node) -> float:
    """When a node without a session will be dead, unless it speaks."""
    waits = node.silent_s <= SILENT_S and not node.session
    return SILENT_S - node.silent_s + SOON_S if waits else BEAT_S


def _kept(tenure: Tenure, leases: Iterable[Lease]) -> frozenset[int]:
    """What this very process serves. By its name alone it would keep alive what its predecessor had, for nobody."""
    return frozenset(
        lease.shard
        for lease in leases
        if lease.owner == tenure.node and lease.left_s > 0 and tenure.epochs.get(lease.shard) == lease.epoch
    )


def _is_free(lease: Lease, me: str, dead: Collection[str]) -> bool:
    """Whether it may be taken; what has this node's name is its predecessor's, as names are unique."""
    return lease.owner is None or lease.left_s <= 0 or lease.owner == me or lease.owner in dead


def _draining(tenure: Tenure, kept: Collection[int], excess: int) -> frozenset[int]:
    """So many of the kept shards: those that drain already, then the highest."""
    order = sorted(kept, key=lambda shard: (shard not in tenure.draining, -shard))
    return frozenset(order[:excess])


def stops_at(began_at: float) -> float:
    """Until when leases may be served that were renewed by a statement begun at that moment of the own clock."""
    return began_at + LEASE_S - MARGIN_S
