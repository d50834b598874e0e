"""The directory: who is looked up is kept in mind until people change, in whichever process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import closing, suppress
from typing import TYPE_CHECKING, TypeVar

import structlog

from bridge.daemon.commits import CommitWatch
from bridge.errors import StoreUnavailableError
from bridge.store import people, registered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.directory import User
    from bridge.model import Recipient
    from bridge.store.store import Store

T = TypeVar("T")

LOOK_S = 0.2
"""How often the store is asked at most whether anything changed; that costs one row."""
KEPT = 4096
"""Addresses and names that are kept in mind, of each so many."""


class DirectoryCache:
    """Looks people up, and keeps some in mind; calls `changed` after each change.

    The store is a file of `place`, or none.

    A change of anybody has all forgotten: that costs as many look-ups as mail and requests come, and no more.
    """

    def __init__(self, *, store: Store, place: Path | None, changed: Callable[[], None]) -> None:
        self._store = store
        self._place = place
        self._changed = changed
        self._revision = -1
        self._recipients: OrderedDict[str, Recipient] = OrderedDict()
        self._users: OrderedDict[str, User] = OrderedDict()
        self._log = structlog.get_logger()

    def known(self, address: str) -> Recipient | None:
        """Whose address this is, if that is in mind; else it has to be looked up."""
        found = self._recipients.get(address)
        if found is not None:
            self._recipients.move_to_end(address)
        return found

    async def resolve(self, address: str) -> Recipient:
        """Whose address this is; raises UnknownUserError, MalformedAddressError or a store error."""
        found = self.known(address)
        if found is None:
            looked = await self._store.read(registered.resolve, address)
            found = looked.found
            self._keep(self._recipients, address, found, looked.revision)
        return found

    async def named(self, name: str) -> User | None:
        """The user of that name, or None; raises store errors."""
        found = self._users.get(name)
        if found is not None:
            self._users.move_to_end(name)
            return found
        looked = await self._store.read(registered.named, name)
        if looked.found is not None:
            self._keep(self._users, name, looked.found, looked.revision)
        return looked.found

    def _keep(self, kept: OrderedDict[str, T], key: str, found: T, revision: int) -> None:
        """Only what is of the revision whose end is looked for is kept; who is unknown never is: of such are many."""
        if revision == self._revision:
            kept[key] = found
            if len(kept) > KEPT:
                kept.popitem(last=False)

    async def look(self) -> None:
        """Forget all if anything changed; raises StoreUnavailableError."""
        revision = await self._store.read(people.revision)
        if revision != self._revision:
            self._revision = revision
            self._recipients.clear()
            self._users.clear()
            self._changed()

    async def run(self) -> None:
        """Look until cancelled: after each commit, and now and then."""
        if self._place is None:  # nobody tells of what others commit
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
        written = asyncio.Event()
        with closing(CommitWatch(self._place, told=written.set)) as commits:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
                written.clear()
                if enough_s := commits.arm_s():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(enough_s):
                            await written.wait()

    async def _look(self) -> None:
        try:
            await self.look()
        except StoreUnavailableError as error:
            self._log.warning("directory_waits_for_store", reason=str(error))
