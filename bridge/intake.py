"""A mail comes in: whose it is, what its header says, kept by the store, and only then answered 250.

**Here 250 is decided**, in `Intake.accept` and nowhere else: a recipient gets it exactly when the
store has given a `Kept` for their user. The store gives one only when COMMIT has returned and all
of it is synced, the message's file before it (`store/writer.py`). What fails on the way there is
answered by the error that says so, and nothing was kept.

The use case behind both listeners. It knows the directory, the store and how to read headers; it
knows nothing of sockets, and of files only their names. Reading (`MailReader`) may be done in another process
than keeping: `Intake.accept` does both, `Intake.keep` what is left to do of a mail that was read already.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
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
from bridge.mail import text
from bridge.mail.headers import extract
from bridge.mail.mailbox import LONGEST_ADDRESS
from bridge.model import Flag, Header
from bridge.reply import Reply
from bridge.rules.alert import Alert
from bridge.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from bridge.kept import Kept
    from bridge.model import Body, Envelope, Extract, Recipient

log = structlog.get_logger()

_BY = {"lmtp": "lmtp", "imap": "imap"}
INLINE_BYTES = 16_384
"""A head up to this size is read on the loop, a larger one in a thread. The worst known takes a slow machine 23 ms."""


class Keeper(Protocol):
    """What the intake needs of the store."""

    def keep(self, envelope: Envelope, header: Header, *, message_id: str, list_id: str) -> Awaitable[tuple[Kept, ...]]:
        """Keep a message for each user that it is for, all or nothing; once it is awaited it is on disk.

        It is under way from the call on, and who stops waiting does not stop it. One Kept per user; a user who was
        removed meanwhile has none. `header` is without a detail, `message_id` the Message-ID field
        (RFC 5322 §3.6.4). Fails with StoreUnavailableError or StoreCorruptError; then nothing was kept.
        """


class Whose(Protocol):
    """What the intake needs of the directory."""

    def known(self, address: str) -> Recipient | None:
        """Whose address this is, if that can be said at once."""

    async def resolve(self, address: str) -> Recipient:
        """Whose address this is; raises UnknownUserError, MalformedAddressError or a store error."""


class Discard(Protocol):
    """What the intake needs of the spool."""

    async def __call__(self, name: str, /) -> None:
        """Remove a finished message by the name in its Body; raises StoreUnavailableError."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What is believed of a message.

    The verdicts of `authserv_ids` (RFC 8601 §2.2) and of the filter that writes `spam_headers`; and that one with
    more than `received_limit` Received fields is a loop (RFC 5321 §6.3).
    """

    authserv_ids: frozenset[str] = frozenset()
    spam_headers: tuple[str, ...] = ()
    received_limit: int = 50


BELIEFS = Beliefs()


@dataclass(frozen=True, slots=True)
class ReadMail:
    """What was read of a mail: its header before each user's rules and detail, its Message-ID and its list."""

    header: Header
    message_id: str
    list_id: str = ""


class MailReader:
    """Reads mail. `beliefs` may be replaced at any time."""

    def __init__(self, *, beliefs: Beliefs = BELIEFS) -> None:
        self.beliefs = beliefs

    async def read(self, envelope: Envelope) -> ReadMail:
        """What its header section says; raises LoopError for a mail that goes round in a circle."""
        body = envelope.body
        found = self._read(body) if len(body.head) <= INLINE_BYTES else await asyncio.to_thread(self._read, body)
        if found.hops > self.beliefs.received_limit:
            raise LoopError(f"more than {self.beliefs.received_limit} Received fields")
        return ReadMail(_header(found, envelope), found.message_id, found.list_id)

    def _read(self, body: Body) -> Extract:
        return extract(
            body.head,
            size=body.size,
            complete=body.spooled is None,
            authserv_ids=self.beliefs.authserv_ids,
            spam_headers=self.beliefs.spam_headers,
        )


class Intake:
    """Accepts envelopes.

    `directory` knows the users as they are now, `full` gives the ids of those who have as many messages
    as one may have. `reader.beliefs` may be replaced at any time.
    """

    def __init__(
        self,
        *,
        store: Keeper,
        directory: Whose,
        discard: Discard,
        beliefs: Beliefs = BELIEFS,
        full: Callable[[], Collection[int]] = frozenset,
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._directory = directory
        self._discard = discard
        self.reader = MailReader(beliefs=beliefs)
        self._full = full
        self._tally = tally or Tally()

    def into(self, store: Keeper) -> Intake:
        """Another one that differs in where it keeps alone."""
        return Intake(
            store=store,
            directory=self._directory,
            discard=self._discard,
            beliefs=self.reader.beliefs,
            full=self._full,
            tally=self._tally,
        )

    def known(self, address: str) -> Recipient | None:
        """Whose address it is, if that can be said at once; raises OverQuotaError."""
        found = self._directory.known(address)
        return None if found is None else with_room(found, self._full())

    async def resolve(self, address: str) -> Recipient:
        """Whose address it is.

        Raises UnknownUserError, OverQuotaError, MalformedAddressError or StoreUnavailableError.
        """
        try:
            return with_room(await self._directory.resolve(address), self._full())
        except StoreCorruptError as error:
            log.error("store_damaged", reason=str(error))  # noqa: TRY400 - it says itself what to do
            raise StoreUnavailableError(str(error)) from error

    async def accept(self, envelope: Envelope) -> tuple[Reply, ...]:
        """Keep a message for all its recipients; one reply each, in their order (RFC 2033 §4.2).

        A reply of 250 means that the message is on disk for that recipient. Never raises SmtpError.
        With a 250 the spool file is ours: it is removed again when nobody's message needs it.
        """
        full = self._full()
        if full and all(recipient.user_id in full for recipient in envelope.recipients):
            return tuple(OverQuotaError.reply for _ in envelope.recipients)
        try:
            read = await self.reader.read(envelope)
        except SmtpError as error:
            return refusals(error, envelope, tally=self._tally)
        return await self.keep(envelope, read)

    async def keep(self, envelope: Envelope, read: ReadMail) -> tuple[Reply, ...]:
        """The same for a mail that was read already."""
        full = self._full()
        wanted = envelope
        if full:  # which is rare, and an envelope takes its time to be made
            roomy = tuple(recipient for recipient in envelope.recipients if recipient.user_id not in full)
            if not roomy:
                return tuple(OverQuotaError.reply for _ in envelope.recipients)
            wanted = replace(envelope, recipients=roomy)
        try:
            # Once it is under way the commit may succeed, whatever becomes of the sender.
            kept = await self._store.keep(wanted, read.header, message_id=read.message_id, list_id=read.list_id)
        except (SmtpError, StoreCorruptError) as error:
            return refusals(error, envelope, tally=self._tally)
        # From here on the message is on disk, for every user in `kept`.
        self._tell(kept, envelope)
        if envelope.body.spooled is not None:
            await self._drop_copy(envelope.body.spooled, kept)
        if len(kept) == len(envelope.recipients) == 1:
            return (_reply(kept[0]),)
        by_user = {each.user_id: each for each in kept}
        return tuple(
            OverQuotaError.reply if recipient.user_id in full else _reply(by_user.get(recipient.user_id))
            for recipient in envelope.recipients
        )

    async def _drop_copy(self, spooled: str, kept: tuple[Kept, ...]) -> None:
        """Remove the spool file of a message that every user had already."""
        if all(each.copy_of_known for each in kept):
            with suppress(StoreUnavailableError):  # what cannot be removed is swept at the next start
                await self._discard(spooled)

    def _tell(self, kept: tuple[Kept, ...], envelope: Envelope) -> None:
        self._tally.accepted[_BY.get(envelope.protocol[:4].lower(), "smtp")] += 1
        for each in kept:
            if each.copy_of_known:
                self._tally.copies += 1
            else:
                told = each.alert is not Alert.SUPPRESSED
                self._tally.keep(each.user_id, each.number, str(each.alert), told=told)
            log.info(
                "message_kept",
                id=each.mail_id,
                user=each.user,
                size=envelope.body.size,
                protocol=envelope.protocol,
                known=each.copy_of_known,
                alert=None if each.copy_of_known else str(each.alert),
            )
            if each.alert is Alert.UNRULED:
                log.error("rules_unreadable", user=each.user, command=f"postbell user rules {each.user} --clear")


def with_room(recipient: Recipient, full: Collection[int]) -> Recipient:
    """The recipient, if they may have more messages; raises OverQuotaError."""
    if recipient.user_id in full:
        raise OverQuotaError(f"{recipient.user} has too many messages")
    return recipient


def refusals(error: SmtpError | StoreCorruptError, envelope: Envelope, *, tally: Tally) -> tuple[Reply, ...]:
    """A reply for each recipient of a message that was not kept; log and tally are told."""
    if isinstance(error, StoreCorruptError):
        log.error("store_damaged", reason=str(error))
        return tuple(StoreUnavailableError.reply for _ in envelope.recipients)
    reply = error.reply
    tally.messages_refused[reply.code, reply.status] += 1
    log.warning("message_refused", code=reply.code, status=reply.status, reason=str(error), peer=envelope.peer)
    return tuple(reply for _ in envelope.recipients)


def _reply(kept: Kept | None) -> Reply:
    """250 for what was kept; a user who was removed after RCPT is one that nobody knows."""
    if kept is None:
        return UnknownUserError.reply
    said = "kept before, a copy does not ring again" if kept.copy_of_known else "kept"
    return Reply(250, "2.0.0", f"{kept.mail_id} {said}")


def _header(found: Extract, envelope: Envelope) -> Header:
    """The header as it is before each user's rules and detail; the date is the sender's.

    Of a mail that says nothing of who wrote it the envelope knows who sent it, which is never authenticated.
    """
    flags, address = found.flags, found.from_address
    if not address:
        flags &= ~Flag.AUTHENTICATED  # there is no domain that anybody could have vouched for
    if not address and not found.from_name:
        address = text.identity(envelope.sender.lower(), limit=LONGEST_ADDRESS)
    return Header(
        flags=int(flags),
        from_name=found.from_name,
        from_address=address,
        subject=found.subject,
        snippet=found.snippet,
        size=envelope.body.size,
        date=found.date,
    )
