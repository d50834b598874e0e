"""Large mail where the store is a database: its bytes go there before it is kept, and its file is needed no more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from bridge.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bridge.intake import Discard, Keeper
    from bridge.kept import Kept
    from bridge.model import Envelope, Header
    from bridge.store.uploads import Uploads


class Uploading:
    """A Keeper before another one. `discard` removes the file of a mail that was kept."""

    def __init__(self, keeper: Keeper, *, uploads: Uploads, discard: Discard) -> None:
        self._keeper = keeper
        self._uploads = uploads
        self._discard = discard

    def keep(self, envelope: Envelope, header: Header, *, message_id: str, list_id: str) -> Awaitable[tuple[Kept, ...]]:
        """As the other one keeps it; once that is done nothing of it on this disk counts."""
        if envelope.body.spooled is None:
            return self._keeper.keep(envelope, header, message_id=message_id, list_id=list_id)
        large = self._keep(envelope, header, message_id, list_id, envelope.body.spooled)
        return asyncio.ensure_future(large)  # it goes on though nobody waits any more

    async def _keep(
        self, envelope: Envelope, header: Header, message_id: str, list_id: str, file: str
    ) -> tuple[Kept, ...]:
        await self._uploads.put(file)
        kept = await self._keeper.keep(envelope, header, message_id=message_id, list_id=list_id)
        with suppress(StoreUnavailableError):  # what cannot be removed is swept at the next start
            await self._discard(file)
        return kept
