"""One look at an open folder: what changed there follows here, what changed here is told there, new mail is fetched.

Of the mailbox only the mails are asked for that are known and still count, so that a look is as dear as a few days of
mail, whatever else the folder has. A server that keeps count (CONDSTORE) says which of them changed since a count that
it had before the last look: what changes while one looks may be found twice, and is never passed over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from bridge.imap.errors import ImapLimitError, ImapNoError, ImapSyntaxError
from bridge.imap.session import NEWEST
from bridge.mail.headers import extract

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bridge.imap.needs import Counterparts, Taking
    from bridge.imap.selecting import Selected
    from bridge.imap.session import ImapSession
    from bridge.imap.standing import Standing
    from bridge.mailbox.account import Watched

FIRST_UID = 1
MOVED_S = 0.5
"""What is gone may have been moved to another folder that is followed: so long that one may find it first."""


class Looking:
    """Looks at one folder that is open. Everything raises ImapError or StoreUnavailableError."""

    def __init__(
        self,
        watched: Watched,
        *,
        session: ImapSession,
        selected: Selected,
        counterparts: Counterparts,
        taking: Taking,
        most_bytes: int,
        standing: Standing,
    ) -> None:
        self._watched = watched
        self._session = session
        self._selected = selected
        self._counterparts = counterparts
        self._taking = taking
        self._most_bytes = most_bytes
        self._standing = standing
        self._next_uid = 0
        self._modseq = 0  # up to this count all is known; 0 where nothing is counted
        self._log = structlog.get_logger()

    async def first(self, *, called: bool = False) -> None:
        """Catch up with all that happened while nobody looked; `called`: the server said that something did."""
        folder_id, selected = self._watched.folder_id, self._selected
        known = await self._counterparts.open(folder_id, validity=selected.validity)
        self._next_uid = known.next_uid
        unchanged = self._session.resyncs and 0 < selected.modseq == known.modseq
        self._modseq = selected.modseq
        if selected.meanwhile is not None:
            await self._observe(selected.meanwhile.seen, selected.meanwhile.gone)
        elif called or not unchanged:
            begun_anew = known.modseq > selected.modseq
            await self._catch_up(since=0 if begun_anew else known.modseq, compare=True)
        await self._discover(exists=selected.exists)
        await self.tell()
        if selected.modseq and selected.modseq != known.modseq:
            await self._counterparts.reached(folder_id, modseq=selected.modseq)

    async def again(self) -> None:
        """The server said that something changed."""
        reached = max(self._modseq, self._session.heard.modseq)
        await self._catch_up(since=self._modseq, compare=False)
        await self._discover()
        await self.tell()
        if self._modseq:
            self._modseq = reached

    async def tell(self) -> None:
        """Something changed here: find what it means for the folder, and tell the mailbox."""
        folder_id = self._watched.folder_id
        await self._counterparts.meet(folder_id)
        while marks := await self._counterparts.tell(folder_id):
            for seen in (True, False):
                uids = [uid for uid, value in marks.items() if value is seen]
                if uids:
                    await self._session.mark(uids, seen=seen)
                    await self._counterparts.told(folder_id, uids, seen=seen)
            self._standing.marked += len(marks)
        if self._watched.account.source_ms is not None:
            await self._fetch()

    async def _catch_up(self, *, since: int, compare: bool) -> None:
        """Find what happened to known mails since a count; 0: nobody knows, and all are asked for."""
        folder_id = self._watched.folder_id
        uids = await self._counterparts.known(folder_id)
        if uids and since:
            try:
                changes = await self._session.changes(uids, since=since, compare=compare)
            except ImapNoError:
                self._modseq = 0  # it cannot what it says that it can
            except (ImapLimitError, ImapSyntaxError):
                await self._counterparts.reached(folder_id, modseq=0)  # whoever tells too much is asked in detail
                raise
            else:
                await self._observe(changes.seen, changes.gone)
                return
        if uids:
            seen = await self._session.seen(uids)
            await self._observe(seen, [uid for uid in uids if uid not in seen])

    async def _observe(self, seen: Mapping[int, bool], gone: Collection[int]) -> None:
        if gone and self._watched.others:
            await asyncio.sleep(MOVED_S)
        if seen or gone:
            await self._counterparts.observe(self._watched.folder_id, seen, gone)

    async def _discover(self, *, exists: int = 0) -> None:
        folder_id, source_ms = self._watched.folder_id, self._watched.account.source_ms
        since_ms = None
        if not self._next_uid:
            since_ms = self._counterparts.since_ms()
            if source_ms is not None:
                since_ms = min(since_ms, source_ms)
                self._next_uid = FIRST_UID
            else:
                self._next_uid = max(FIRST_UID, self._selected.next_uid - NEWEST)
        uids = await self._session.search(first_uid=self._next_uid, since_ms=since_ms, exists=exists)
        async for mails in self._session.sightings(uids, _message_id):
            if mails:
                next_uid = mails[-1].uid + 1
                await self._counterparts.discover(folder_id, mails, next_uid=next_uid, source_ms=source_ms)
                self._next_uid = max(self._next_uid, next_uid)
        after = max(self._selected.next_uid if since_ms is not None else 0, uids[-1] + 1 if uids else 0)
        if after > self._next_uid or since_ms is not None:
            self._next_uid = max(after, self._next_uid)
            await self._counterparts.discover(folder_id, [], next_uid=self._next_uid, source_ms=source_ms)

    async def _fetch(self) -> None:
        for uid in await self._counterparts.wanted(self._watched.folder_id):
            pieces = self._session.pieces(uid, most=self._most_bytes)
            try:
                kept = await self._taking(self._watched, validity=self._selected.validity, uid=uid, pieces=pieces)
            except ImapLimitError as error:
                self._log.warning("mailbox_mail_left_out", user=self._watched.account.user, uid=uid, reason=str(error))
                kept = False
            if kept:
                self._standing.fetched += 1
            else:
                await self._counterparts.unwanted(self._watched.folder_id, uid)


def _message_id(head: bytes) -> str:
    return extract(head, size=len(head)).message_id
