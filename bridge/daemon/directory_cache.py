"""The directory as it is at this moment: read again soon after any change, in whichever process."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import structlog

from bridge.daemon.commits import CommitWatch
from bridge.directory import Directory
from bridge.errors import StoreUnavailableError
from bridge.store import people

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.store.store import Store

LOOK_S = 0.2
"""How often the store is asked at most whether anything changed; that costs one row."""


class DirectoryCache:
    """Holds the Directory as last read; calls `changed` after each change. The store is a file of `place`."""

    def __init__(self, *, store: Store, place: Path, changed: Callable[[], None]) -> None:
        self._store = store
        self._place = place
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
        """Look until cancelled: after each commit, and now and then."""
        written = asyncio.Event()
        with closing(CommitWatch(self._place, told=written.set)) as commits:
            while True:
                try:
                    await self.look()
                except StoreUnavailableError as error:
                    self._log.warning("directory_waits_for_store", reason=str(error))
                await asyncio.sleep(LOOK_S)
                written.clear()
                if enough_s := commits.arm_s():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(enough_s):
                            await written.wait()
