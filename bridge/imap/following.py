"""Following one folder for ever: connects, looks, waits for news, and comes back when the connection is lost.

One line of the log for each change of state. A login that is refused is not tried again before something has changed:
a mail server takes too many tries for an attack, and locks the account.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from bridge.errors import StoreUnavailableError, in_words
from bridge.imap import secret
from bridge.imap.errors import ImapError, ImapLimitError, ImapLoginError, ImapLostError, ImapSyntaxError
from bridge.imap.looking import Looking
from bridge.imap.session import ImapSession
from bridge.imap.standing import FollowState, Standing
from bridge.mailbox.account import SecretKind

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from bridge.imap.needs import Counterparts, Taking
    from bridge.imap.selecting import Selected
    from bridge.mailbox.account import MailAccount, Watched

AGAIN_S = 0.1
"""The least time between two looks, however much the server says."""
CATCH_UP_S = 3_600.0
"""A folder whose server says when to look is looked at so often anyhow."""
STEADY_S = 60.0
"""A connection that held so long was a good one: the next try is at once again."""
TOKENS = 3
"""So many tokens in a row have to be refused until the login counts as refused: one may have just run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOptions:
    """How folders are followed, in seconds: IDLE is renewed after `idle_s`, a server without it asked each `poll_s`.

    An answer is awaited for `answer_s`. A mail that is fetched has `most_bytes` at most.
    """

    idle_s: float = 540.0
    poll_s: float = 60.0
    answer_s: float = 30.0
    most_bytes: int = 50 * 2**20


class Follower:
    """One folder. `tls` gives what certificates are held against; `delay_s` the wait before try number so and so."""

    def __init__(
        self,
        watched: Watched,
        *,
        counterparts: Counterparts,
        taking: Taking,
        options: FollowOptions,
        tls: Callable[[], ssl.SSLContext],
        delay_s: Callable[[int], float],
        now_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self.watched = watched
        self.standing = Standing(since_ms=now_ms())
        self._counterparts = counterparts
        self._taking = taking
        self._options = options
        self._tls = tls
        self._delay_s = delay_s
        self._now_ms = now_ms
        self._monotonic = monotonic
        self._nudged = asyncio.Event()
        self._refusals = 0
        self._called = False
        self._which = watched.account.user, watched.account.mailbox_id, watched.name
        self._told = ""
        self._log = structlog.get_logger()

    def call(self) -> None:
        """The mail server says that something changed in this mailbox, where that is how it is followed."""
        if self.watched.account.events:
            self._called = True
            self._nudged.set()

    def nudge(self) -> None:
        """Something changed here that the mailbox may have to be told."""
        self._nudged.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        attempt = 0
        while True:
            begun_s = self._monotonic()
            try:
                await self._follow()
                await self._until_called()
                attempt = 0
                continue
            except ImapLoginError as error:
                if self._refused(error):
                    await self._something_else()
                    attempt = 0
                    continue
            except (ImapError, StoreUnavailableError) as error:
                self._become(FollowState.CONNECTING, str(error))
            except Exception:  # noqa: BLE001 - a server of somebody else's must not end this process
                user, mailbox, folder = self._which
                self._log.exception("mailbox_defect", user=user, mailbox=mailbox, folder=folder)
                self._become(FollowState.CONNECTING, "a defect of ours; see the log")
            attempt = 0 if self._monotonic() - begun_s >= STEADY_S else attempt
            await asyncio.sleep(self._delay_s(attempt))
            attempt += 1

    async def _follow(self) -> None:
        account, called = self.watched.account, self._called
        self._nudged.clear()
        self._called = False  # what is called from here on may be too late for this look
        session = await open_session(account, tls=self._tls, answer_s=self._options.answer_s)
        try:
            self.standing.connections += 1
            self._refusals = 0
            selected = await self._selected(session)
            looking = Looking(
                self.watched,
                session=session,
                selected=selected,
                counterparts=self._counterparts,
                taking=self._taking,
                most_bytes=self._options.most_bytes,
                standing=self.standing,
            )
            await looking.first(called=called)
            if account.events:
                return
            waits = session.offers("IDLE")
            self._become(FollowState.FOLLOWING if waits else FollowState.POLLING, "")
            while True:
                await self._wait(session, looking, idle=waits)
        finally:
            session.close()

    async def _selected(self, session: ImapSession) -> Selected:
        """The folder, opened; a server that says too much of what happened meanwhile is asked in detail next time."""
        folder_id = self.watched.folder_id
        known = await self._counterparts.last(folder_id)
        try:
            return await session.select(self.watched.name, known=known)
        except (ImapLimitError, ImapSyntaxError):
            if known.modseq:
                await self._counterparts.reached(folder_id, modseq=0)
            raise

    async def _until_called(self) -> None:
        """Without a connection: wait for an event, for something that the mailbox has to be told, or an hour."""
        self._become(FollowState.CALLED, "")
        until_s = self._monotonic() + CATCH_UP_S
        while not self._called and (left_s := until_s - self._monotonic()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    await self._nudged.wait()
            except TimeoutError:
                return
            self._nudged.clear()
            if not self._called:
                await self._counterparts.meet(self.watched.folder_id)
                if await self._counterparts.pending(self.watched.folder_id):
                    return
        if self._called:
            self.standing.event_ms = self._now_ms()

    async def _wait(self, session: ImapSession, looking: Looking, *, idle: bool) -> None:
        """Wait for news of either side, and do what follows."""
        if session.heard.news:
            await asyncio.sleep(AGAIN_S)
        elif idle:
            await session.idle(within_s=self._options.idle_s, nudged=self._nudged)
        else:
            try:
                async with asyncio.timeout(self._options.poll_s):
                    await self._nudged.wait()
            except TimeoutError:
                await session.noop()
        nudged = self._nudged.is_set()
        self._nudged.clear()
        if session.heard.news:
            begun_s = self._monotonic()
            session.heard.news = False
            self.standing.event_ms = self._now_ms()
            await looking.again()
            self.standing.lag_ms = int((self._monotonic() - begun_s) * 1000)
        elif nudged:
            await looking.tell()

    def _refused(self, error: ImapLoginError) -> bool:
        """Whether it is of no use to try again."""
        self._refusals += 1
        if self.watched.account.secret.kind is SecretKind.XOAUTH2_COMMAND and self._refusals < TOKENS:
            self._become(FollowState.CONNECTING, str(error))
            return False
        self._become(FollowState.REFUSED, str(error))
        return True

    async def _something_else(self) -> None:
        """Wait until the file with the password is another; whoever changes the mailbox makes a new follower."""
        before = secret.changed(self.watched.account.secret)
        while secret.changed(self.watched.account.secret) == before:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(self._options.poll_s)

    def _become(self, state: FollowState, reason: str) -> None:
        before, self.standing.reason = self.standing.state, reason
        if before is state and (state is not FollowState.CONNECTING or self._told == reason):
            return
        self._told = reason
        if before is not state:
            self.standing.state, self.standing.since_ms = state, self._now_ms()
        log, user, mailbox, folder = self._log, *self._which
        if state is FollowState.REFUSED:
            command = f"postbell mailbox test {mailbox}"
            log.error("mailbox_refused", user=user, mailbox=mailbox, folder=folder, reason=reason, command=command)
        elif state is FollowState.CONNECTING:
            log.warning("mailbox_lost", user=user, mailbox=mailbox, folder=folder, reason=reason)
        else:
            log.info("mailbox_followed", user=user, mailbox=mailbox, folder=folder, how=state.value)


async def open_session(account: MailAccount, *, tls: Callable[[], ssl.SSLContext], answer_s: float) -> ImapSession:
    """A connection to the server of an account, logged in; raises ImapError."""
    try:
        context = tls() if account.tls else None
    except OSError as error:
        raise ImapLostError(f"imap.ca_file: {in_words(error)}") from error
    return await ImapSession.open(
        account.host,
        account.port,
        tls=context,
        login=account.login,
        secret=await secret.get(account.secret),
        token=account.secret.kind is SecretKind.XOAUTH2_COMMAND,
        deadline_s=answer_s,
    )
