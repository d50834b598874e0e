"""What is remembered of folders, as those want it who follow them: operations bound to one open store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.box.box import Mail
from bridge.contract.expiry import DAY_MS
from bridge.store import counterparts, fetching, folders, meeting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from bridge.box.box import Terms
    from bridge.kept import Kept
    from bridge.mailbox.matching import Sighting
    from bridge.model import Envelope, Header
    from bridge.store.folders import Opened
    from bridge.store.store import Store

EARLIER_MS = DAY_MS
"""So much longer than a message counts is its counterpart remembered: servers have clocks of their own."""


class FollowedFolders:
    """The store, for followers. It writes only where something changed: a look at a mailbox mostly finds nothing."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self.told = store.writing(counterparts.told)
        self.reached = store.writing(folders.reached)
        self.last = store.reading(folders.last)
        self.known = store.reading(folders.known)
        self.pending = store.reading(counterparts.pending)
        self.wanted = store.reading(fetching.wanted)
        self.unwanted = store.writing(fetching.unwanted)

    def since_ms(self) -> int:
        """What came before this moment is nobody's business any more."""
        return int(self._now_ms() - self._store.retention.days * DAY_MS - EARLIER_MS)

    async def open(self, folder_id: int, *, validity: int) -> Opened:
        """What is known of a folder with this UIDVALIDITY."""
        return await self._store.write(folders.open_folder, folder_id, validity=validity, horizon_ms=self.since_ms())

    async def observe(self, folder_id: int, seen: Mapping[int, bool], gone: Collection[int]) -> None:
        """The mailbox has these mails, seen or not, and those no more."""
        if await self._store.read(counterparts.news, folder_id, seen, gone):
            await self._store.write(counterparts.observe, folder_id, seen, gone)

    async def discover(
        self, folder_id: int, mails: Sequence[Sighting], *, next_uid: int, source_ms: int | None
    ) -> None:
        """The folder has these mails, and was looked at up to `next_uid`."""
        await self._store.write(meeting.discover, folder_id, mails, next_uid=next_uid, source_ms=source_ms)

    async def meet(self, folder_id: int) -> None:
        """Find the messages that came behind their mails."""
        if await self._store.read(meeting.unmet, folder_id):
            await self._store.write(meeting.meet_all, folder_id)

    async def tell(self, folder_id: int) -> dict[int, bool]:
        """What the mailbox is to be told now; it is noted that it is."""
        if not await self._store.read(counterparts.pending, folder_id):
            return {}
        return await self._store.write(counterparts.tell, folder_id)


class FetchedMail:
    """A Keeper for the intake: the mail with one UID of one folder, kept once."""

    def __init__(self, store: Store, terms: Terms, *, folder_id: int, validity: int, uid: int) -> None:
        self._store = store
        self._terms = terms
        self._which = {"folder_id": folder_id, "validity": validity, "uid": uid}

    def keep(self, envelope: Envelope, header: Header, *, message_id: str, list_id: str) -> Awaitable[tuple[Kept, ...]]:
        """Keep it; once that is done it is on disk. Fails with StoreUnavailableError."""
        mail = Mail(envelope, header, message_id, list_id)
        return self._store.write(fetching.keep, mail, terms=self._terms, retention=self._store.retention, **self._which)
