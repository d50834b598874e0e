"""What the broker should hold, for the looks of one of several bridges: of the users whose shards it owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.store import registered
from bridge.store.adapters import StoredTruth

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.shards.keeper import LeaseKeeper
    from bridge.store.store import Store


class SharedTruth:
    """As StoredTruth, for the shards that `keeper` has at this moment, or those of them that are asked for."""

    def __init__(self, store: Store, keeper: LeaseKeeper) -> None:
        self._store = store
        self._keeper = keeper
        whole = StoredTruth(store)
        self.strangers = whole.strangers
        self.waiting_messages = whole.waiting_messages
        self.repair = whole.repair

    async def names(
        self, *, after: str, limit: int, live: int, each: int, shards: Collection[int] | None = None
    ) -> list[str]:
        """Some names of users, in their order, behind this one: the first, and more up to a limit."""
        owned = self._keeper.epochs.keys()
        mine = owned if shards is None else owned & set(shards)
        return await self._store.read(
            registered.names, after=after, limit=limit, live=live, each=each, shards=sorted(mine)
        )
