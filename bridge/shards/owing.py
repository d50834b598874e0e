"""Fences that are owed: whose connection is to be closed at which broker before a shard is published for there. Pure.

Where users are in cells, each has a broker of its own, and one that is away cannot be asked to close anything. So a
shard is served cell by cell, and what is owed stands in its lease until it is done: as `NODE@CELL`, or as `NODE` for
all cells, which is what a new owner finds of the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


class Owed(NamedTuple):
    """A node's connection to the broker of a cell is to be closed."""

    node: str
    cell: int

    def __str__(self) -> str:
        return f"{self.node}@{self.cell}"


def owed(unfenced: Iterable[str], cells: Collection[int], *, me: str) -> frozenset[Owed]:
    """What a lease says is owed, at these cells.

    Nothing is owed at one that is no more. An earlier connection of `me` is closed by that of now.
    """
    found: set[Owed] = set()
    for each in unfenced:
        node, _, cell = each.partition("@")
        if node != me:
            found.update(Owed(node, at) for at in cells if not cell or int(cell) == at)
    return frozenset(found)


class Debts:
    """What is owed of each shard that was taken."""

    def __init__(self) -> None:
        self._owed: dict[int, frozenset[Owed]] = {}

    def add(self, shard: int, some: Collection[Owed]) -> None:
        """This is owed of a shard."""
        if some:
            self._owed[shard] = frozenset(some)

    def forget(self, shards: Iterable[int]) -> None:
        """These are somebody else's."""
        for shard in shards:
            self._owed.pop(shard, None)

    def of(self, shard: int) -> frozenset[Owed]:
        """What is owed of a shard."""
        return self._owed.get(shard, frozenset())

    def bars(self, shard: int, cell: int) -> bool:
        """Whether a shard may not be published for at a cell yet."""
        return any(each.cell == cell for each in self._owed.get(shard, ()))

    @property
    def cells(self) -> frozenset[int]:
        """Where anything is owed."""
        return frozenset(each.cell for some in self._owed.values() for each in some)

    def at(self, cell: int) -> dict[int, frozenset[str]]:
        """Which nodes are to be fenced at a cell, by shard."""
        found = {
            shard: frozenset(each.node for each in some if each.cell == cell) for shard, some in self._owed.items()
        }
        return {shard: nodes for shard, nodes in found.items() if nodes}

    def pay(self, cell: int, fenced: Mapping[int, Collection[str]]) -> frozenset[int]:
        """These nodes were fenced there, by shard; of which of the shards nothing is owed there any more."""
        paid = frozenset(self._pay(cell, fenced))
        self._owed = {shard: some for shard, some in self._owed.items() if some}
        return paid

    def _pay(self, cell: int, fenced: Mapping[int, Collection[str]]) -> Iterator[int]:
        for shard, nodes in fenced.items():
            before = self.of(shard)
            self._owed[shard] = before.difference(Owed(node, cell) for node in nodes)
            if before and not self.bars(shard, cell):
                yield shard

    def drop(self, cell: int) -> None:
        """There is no such cell any more."""
        self.pay(cell, self.at(cell))
