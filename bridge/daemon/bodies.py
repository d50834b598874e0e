"""The bytes of a message that was kept, wherever they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.kept import StoredBody
    from bridge.spool import Spool


class Bodies:
    """Reads what the store says about a body: from its row, or from the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def load(self, stored: StoredBody) -> bytes | None:
        """The raw message, or None when its body is gone; raises StoreUnavailableError."""
        return stored.raw if stored.file is None else await self._spool.read(stored.file)
