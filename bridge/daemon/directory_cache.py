"""The directory as it is at this moment: read again soon after any change, in whichever process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.directory import Directory
from bridge.errors import StoreUnavailableError
from bridge.store import people

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store.store import Store

LOOK_S = 0.2
"""How often the store is asked whether anything changed; that costs one row."""


class DirectoryCache:
    """Holds the Directory as last read; calls `changed` after each change."""

    def __init__(self, *, store: Store, changed: Callable[[], None]) -> None:
        self._store = store
        self._changed = changed
        self._revision = -1
        self._directory = Directory()
        self._log = structlog.get_logger()

    def current(self) -> Directory:
        """Users and addresses as last read."""
        return self._directory

    async def look(self) -> None:
        """Read the directory again if it changed; raises StoreUnavailableError."""
        revision = await self._store.read(people.revision)
        if revision != self._revision:
            self._directory = await self._store.read(people.read_directory)
            self._revision = revision
            self._changed()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailableError as error:
                self._log.warning("directory_waits_for_store", reason=str(error))
            await asyncio.sleep(LOOK_S)
