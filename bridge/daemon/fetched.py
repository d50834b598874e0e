"""Mail that was fetched out of a folder goes the way of all mail: the spool, the intake, the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import StoreUnavailableError
from bridge.model import Envelope, Recipient
from bridge.store.followed import FetchedMail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bridge.intake import Intake, Keeper
    from bridge.mailbox.account import Watched
    from bridge.spool import Spool
    from bridge.store.adapters import Mailbox
    from bridge.store.store import Store

PROTOCOL = "IMAP"


class Fetched:
    """Takes mails that followers fetch. `whole` makes of a keeper one of mail of any size."""

    def __init__(
        self,
        *,
        store: Store,
        mailbox: Mailbox,
        spool: Spool,
        intake: Intake,
        whole: Callable[[Keeper], Keeper] = lambda keeper: keeper,
    ) -> None:
        self._store = store
        self._mailbox = mailbox
        self._spool = spool
        self._intake = intake
        self._whole = whole

    async def __call__(self, watched: Watched, *, validity: int, uid: int, pieces: AsyncIterator[bytes]) -> bool:
        """Keep a mail once; False when it is never to be asked for again. Raises StoreUnavailableError."""
        account = watched.account
        message = self._spool.begin()
        try:
            async for piece in pieces:
                await message.write(piece)
            body = await message.finish()
            keeper = FetchedMail(
                self._store, self._mailbox.terms, folder_id=watched.folder_id, validity=validity, uid=uid
            )
            recipient = Recipient(account.login, account.user_id, account.user)
            envelope = Envelope("", (recipient,), body, PROTOCOL, account.host)
            [reply] = await self._intake.into(self._whole(keeper)).accept(envelope)
        except BaseException:
            message.discard()
            raise
        if reply.accepted:
            return True
        message.discard()
        if reply.code < 500:
            raise StoreUnavailableError(reply.text)
        return False
