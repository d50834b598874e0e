"""Taking a message in: resolve, extract, commit, and only then answer 250.

The use case behind both listeners. It knows the directory, the store and how to read headers; it
knows nothing of sockets.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import structlog

from bridge.errors import (
    LoopError,
    OverQuotaError,
    SmtpError,
    StoreCorruptError,
    StoreUnavailableError,
    UnknownUserError,
)
from bridge.mail.headers import extract
from bridge.model import Header, Reply
from bridge.rules.alert import Alert

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from bridge.directory import Directory
    from bridge.kept import Kept
    from bridge.model import Envelope, Extract, Recipient

INLINE_BYTES = 16_384
"""A head up to this size is read on the loop, a larger one in a thread. The worst known takes a slow machine 23 ms."""


class Keeper(Protocol):
    """What the intake needs of the store."""

    async def keep(self, envelope: Envelope, header: Header, *, message_id: str, list_id: str) -> tuple[Kept, ...]:
        """Commit; raises StoreUnavailableError."""


class Intake:
    """Accepts envelopes. `directory` is called anew for each address; `discard` removes a spool file.

    `full` are the ids of users who have as many messages as one may have.
    """

    def __init__(
        self,
        *,
        store: Keeper,
        directory: Callable[[], Directory],
        discard: Callable[[str], Awaitable[None]],
        authserv_ids: frozenset[str] = frozenset(),
        spam_headers: tuple[str, ...] = (),
        received_limit: int = 50,
        full: Callable[[], Collection[int]] = frozenset,
    ) -> None:
        self._store = store
        self._directory = directory
        self._discard = discard
        self._authserv_ids = authserv_ids
        self._spam_headers = spam_headers
        self._received_limit = received_limit
        self._full = full
        self._log = structlog.get_logger()

    def resolve(self, address: str) -> Recipient:
        """Whose address it is; raises UnknownUserError, OverQuotaError or MalformedAddressError."""
        recipient = self._directory().resolve(address)
        if recipient.user_id in self._full():
            raise OverQuotaError(f"{recipient.user} has too many messages")
        return recipient

    async def accept(self, envelope: Envelope) -> tuple[Reply, ...]:
        """Keep a message for all its recipients; one reply each, in their order (RFC 2033 §4.2).

        A reply of 250 means that the message is on disk for that recipient. Never raises SmtpError.
        With a 250 the spool file is ours: it is dropped again when nobody's message needs it.
        """
        full = self._full()
        fit = tuple(recipient for recipient in envelope.recipients if recipient.user_id not in full)
        if not fit:
            return tuple(OverQuotaError.reply for _ in envelope.recipients)
        try:
            kept = await self._keep(replace(envelope, recipients=fit))
        except StoreCorruptError as error:
            self._log.error("store_damaged", reason=str(error))
            return tuple(StoreUnavailableError.reply for _ in envelope.recipients)
        except SmtpError as error:
            self._log.warning(
                "message_refused",
                code=error.reply.code,
                status=error.reply.status,
                reason=str(error),
                peer=envelope.peer,
            )
            return tuple(error.reply for _ in envelope.recipients)
        if envelope.body.spooled is not None and all(copy.copy_of_known for copy in kept):
            with suppress(StoreUnavailableError):  # what cannot be removed is swept at the next start
                await self._discard(envelope.body.spooled)
        return self._answer(envelope, kept, full)

    async def _keep(self, envelope: Envelope) -> tuple[Kept, ...]:
        body = envelope.body
        if len(body.head) <= INLINE_BYTES:
            found = self._read(envelope)
        else:
            found = await asyncio.to_thread(self._read, envelope)
        header = Header(
            flags=int(found.flags),
            from_name=found.from_name,
            from_address=found.from_address,
            subject=found.subject,
            snippet=found.snippet,
            size=body.size,
            date=found.date,
        )
        # Shielded: once it is under way the commit may succeed, whatever becomes of the sender.
        keeping = self._store.keep(envelope, header, message_id=found.message_id, list_id=found.list_id)
        return await asyncio.shield(keeping)

    def _read(self, envelope: Envelope) -> Extract:
        body = envelope.body
        found = extract(
            body.head,
            size=body.size,
            complete=body.spooled is None,
            authserv_ids=self._authserv_ids,
            spam_headers=self._spam_headers,
        )
        if found.hops > self._received_limit:
            raise LoopError(f"more than {self._received_limit} Received fields")
        return found

    def _answer(self, envelope: Envelope, kept: tuple[Kept, ...], full: Collection[int]) -> tuple[Reply, ...]:
        by_user = {copy.user_id: copy for copy in kept}
        for copy in kept:
            self._log.info(
                "message_kept",
                id=copy.mail_id,
                user=copy.user,
                size=envelope.body.size,
                protocol=envelope.protocol,
                known=copy.copy_of_known,
                alert=None if copy.copy_of_known else copy.alert.value,
            )
            if copy.alert is Alert.UNRULED:
                self._log.error("rules_unreadable", user=copy.user, cure=f"postbell user rules {copy.user} --clear")
        return tuple(
            OverQuotaError.reply if to.user_id in full else self._reply(by_user.get(to.user_id))
            for to in envelope.recipients
        )

    @staticmethod
    def _reply(copy: Kept | None) -> Reply:
        return UnknownUserError.reply if copy is None else Reply(250, "2.0.0", f"{copy.mail_id} kept")
