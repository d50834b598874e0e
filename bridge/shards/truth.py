"""What a broker should hold, for the looks of one of several bridges: of the users whose shards it owns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.store import registered, repair
from bridge.store.adapters import StoredTruth

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.reconcile import Observed, Repair
    from bridge.shards.rows import SharedRows
    from bridge.store.store import Store


class SharedTruth:
    """As StoredTruth, for the shards that are published for by `rows` at this moment, or those of them asked for."""

    def __init__(self, store: Store, rows: SharedRows) -> None:
        self._store = store
        self._rows = rows
        self._whole = StoredTruth(store)

    async def names(
        self, *, after: str, limit: int, live: int, each: int, shards: Collection[int] | None = None
    ) -> list[str]:
        """Some names of users, in their order, behind this one: the first, and more up to a limit."""
        owned = self._rows.epochs.keys()
        mine = owned if shards is None else owned & set(shards)
        return await self._store.read(
            registered.names,
            after=after,
            limit=limit,
            live=live,
            each=each,
            cell=self._rows.cell,
            shards=sorted(mine),
        )

    async def strangers(self, some: Collection[str]) -> list[str]:
        """Those of these names that no user has, or none here."""
        return await self._store.read(registered.strangers, some, cell=self._rows.cell)

    async def waiting_messages(self) -> int:
        """How many topics wait that go before the views."""
        if self._rows.cell is None:
            return await self._whole.waiting_messages()
        return await self._rows.waiting_messages()

    async def repair(self, observed: Observed, *, dry_run: bool = False) -> Repair:
        """Compare what the broker holds with what it should hold, and mark every difference."""
        observed = replace(observed, cell=self._rows.cell)
        found = await self._store.read(repair.compare, observed)
        if dry_run or not found.marked:
            return found
        return await self._store.write(repair.mark, observed)
