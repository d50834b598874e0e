"""The course of a conversation: lines and data go to the session, its answers go out, a few commands a turn.

Commands and the data of small mails are taken where they come, without a task. A task is made for what has to be waited
for: a handshake, a login, a large mail on its way to the disk, and a mail that was handed over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from bridge.errors import SmtpError
from bridge.ingress import replies
from bridge.ingress.connection import Connection
from bridge.ingress.delivery import hand_over, receive
from bridge.ingress.encryption import encrypted
from bridge.ingress.proxied import IncomingProxyHeader
from bridge.ingress.reading import LineTooLongError
from bridge.ingress.receipt import BLOCK_BYTES, Receipt
from bridge.ingress.session import (
    LONGEST_LINE,
    MailSession,
    Next,
    SessionAnswer,
    answers_due,
    command,
    delivered,
    logged_in,
    overlong,
    recipient_found,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from bridge.ingress.context import IngressContext
    from bridge.ingress.session import Dialect
    from bridge.model import Body
    from bridge.reply import Reply

REPLIES_IN_HAND = 64
TURN_COMMANDS = 8

log = structlog.get_logger()


class Conversation(Connection):
    """A conversation in one dialect.

    Replies are gathered while commands are pipelined (RFC 2920 §3.2), and a sender that floods gives way to the others
    every few commands.
    """

    def __init__(self, context: IngressContext, dialect: Dialect, *, implicit_tls: bool = False) -> None:
        super().__init__(context)
        self._session = MailSession(dialect, context.terms)
        self._implicit_tls = implicit_tls
        self._proxy: IncomingProxyHeader | None = None
        self._receipt: Receipt | None = None
        self._work: asyncio.Task[SessionAnswer | None] | None = None
        self._more: asyncio.Future[None] | None = None
        self._next_turn: asyncio.Handle | None = None
        self._listed = False
        self._retiring = False
        self._owed = 1

    # --- the beginning -------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self._listed = True
        self._context.sessions.add(self)
        self._context.tally.begin(self._session.dialect.listener)
        if self._context.trust.is_proxy(self._address):
            self._proxy = IncomingProxyHeader(self._incoming)
            self._await_sender()
        else:
            self._admit()
            self._end_turn()

    def _learn_peer(self, proxy: IncomingProxyHeader) -> bool:
        """Learn the real peer from PROXY v1 or v2, of which only a configured proxy is believed; false before."""
        header = proxy.go_on()
        if header is None:
            return False
        self._proxy = None
        self._our_turn()
        if not header.valid:
            log.warning("proxy_header_invalid", peer=self._address, problem=header.error)
            self._parting = True
            return True
        if header.src_addr is not None and not isinstance(header.src_addr, bytes):
            self._address = str(header.src_addr)
            self._go_out()
            if not self._come_in(self._address):
                return True
        self._admit()
        return True

    def _admit(self) -> None:
        """Whatever comes before the greeting, and that."""
        session = self._session
        session.trusted = self._context.trust.admits(self._address)
        if not session.may_stay:
            log.warning("smtp_peer_not_allowed", peer=self._address)
            self._part(replies.NOT_ALLOWED)
        elif self._implicit_tls:
            self._work_on(self._encrypt(begun=True), name="smtp-tls")
        else:
            self._greet()

    def _greet(self) -> None:
        self._say(f"220 {self._context.hostname} {self._session.dialect.name} Postbell\r\n".encode())

    # --- a turn --------------------------------------------------------------------------------------------

    def _came(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        if self._work is None and self._next_turn is None:
            self._turn()
        else:
            self._regulate()

    def _turn(self) -> None:
        """Take what has come, a few commands at most."""
        self._next_turn = None
        done = 0
        try:
            while self._ready and self._step():
                done += 1
                if not self._incoming.came:
                    break
                if done == TURN_COMMANDS:
                    if self._ready:
                        self._next_turn = self._loop.call_soon(self._turn)
                    break
                if len(self._said) >= REPLIES_IN_HAND:
                    self._flush()
        except BaseException:
            self._end()
            raise
        self._end_turn()

    @property
    def _ready(self) -> bool:
        """Whether more may be obeyed: nobody obeys those who are gone, or do not hear the answers."""
        return not (self._parting or self._choked or self._work is not None or self.transport is None)

    def _end_turn(self) -> None:
        if self._next_turn is None or len(self._said) >= REPLIES_IN_HAND:
            self._flush()
        if self._work is not None:
            self._regulate()
            return
        if self._parting or self.transport is None or (self._eof and self._next_turn is None and not self._choked):
            self._over()
        elif self._next_turn is None:
            self._await_sender()
        self._regulate()

    def _step(self) -> bool:
        """Take one command, or a block of data; false when it is not there yet."""
        if self._proxy is not None:
            return self._learn_peer(self._proxy)
        if self._receipt is not None:
            return self._take_data(self._receipt)
        try:
            line = self._incoming.line(LONGEST_LINE)
            if line is None:
                return False
            self._our_turn()
            self._owed = 1
            self._answer(command(self._session, line))
        except LineTooLongError:
            self._our_turn()
            self._answer(overlong(self._session))
        except Exception:  # the session's edge: whatever is wrong with us, the sender is to try again
            self._reply_to_error()  # first of all: it is owed even where the log is what fails
            log.exception("smtp_command_failed", peer=self._address)
        if self._retiring:
            self._retire_if_idle()
        return True

    def _answer(self, answer: SessionAnswer) -> None:
        """Say it, and do what comes next."""
        if answer.then is Next.CLOSE:
            for reply in answer.replies:
                assert not isinstance(reply, bytes)
                self._part(reply)
            return
        for reply in answer.replies:
            self._say(reply)
        if answer.then is Next.COMMAND:
            return
        if answer.then is Next.DATA:
            self._begin_data()
        elif answer.then is Next.TLS:
            self._incoming.forget()
            self._work_on(self._encrypt(), name="smtp-tls")
        elif answer.then is Next.RECIPIENT:
            self._work_on(self._look_up(answer.address), name="smtp-recipient")
        elif answer.then is Next.LOGIN:
            self._log_in(answer.login)

    def _reply_to_error(self) -> None:
        """Answer for a defect of ours: every reply that is owed, or good-bye in the middle of data."""
        for _ in range(self._owed):
            self._say(SmtpError.reply)
        if not self._owed:
            self._part(replies.LOCAL_ERROR)

    # --- what has to be waited for ---------------------------------------------------------------------------

    def _work_on(self, work: Coroutine[Any, Any, SessionAnswer | None], *, name: str) -> None:
        """Do this first; no command is obeyed meanwhile."""
        self._our_turn()
        self._work = self._loop.create_task(work, name=name)
        self._work.add_done_callback(self._done)

    def _done(self, work: asyncio.Task[SessionAnswer | None]) -> None:
        self._work = None
        self._discard_receipt()  # of what was not received to its end
        try:
            answer = work.result()
            if answer is not None:
                self._answer(answer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            log.debug("smtp_peer_gone", peer=self._address)
            self._parting = True
        except Exception:  # the session's edge, as above
            self._reply_to_error()
            log.exception("smtp_command_failed", peer=self._address)
        finally:
            self._retire_if_idle()
            self._turn()

    async def _encrypt(self, *, begun: bool = False) -> None:
        """Encrypt from here on; what was sent in the clear and not yet read is dropped (RFC 3207 §4.2).

        Only what came before our reply can be that: behind it the sender speaks TLS, and what was read of that already
        goes to TLS. Where TLS was `begun` with the first byte, so does all of it.
        Raises ConnectionAbortedError when the handshake fails.
        """
        context, transport = self._context.tls, self.transport
        assert context is not None
        if transport is None:
            raise ConnectionAbortedError
        try:
            self.transport = await encrypted(transport, self, context, early=self._incoming.take)
        except OSError as error:
            log.info("tls_handshake_failed", peer=self._address, problem=str(error))
            self.transport = None  # it is closed, and uvloop's does not take a farewell any more
            raise ConnectionAbortedError from error
        if self._paused:
            self._paused = False
            transport.resume_reading()
        self._session.encrypted()
        if begun:
            self._greet()

    async def _look_up(self, address: str) -> SessionAnswer:
        try:
            return recipient_found(self._session, await self._context.intake.resolve(address))
        except SmtpError as error:
            return self._session.refuse(error.reply)

    def _log_in(self, login: tuple[str, str] | None) -> None:
        if login is None:
            if self._context.ignored_logins.first(self._address):
                log.info("smtp_login_ignored", peer=self._address)
            self._say(replies.AUTHENTICATED)
        else:
            self._work_on(self._check(*login), name="smtp-login")

    async def _check(self, user: str, password: str) -> SessionAnswer:
        check = self._context.check_login
        assert check is not None
        right = await check(user, password)
        if not right:
            log.warning("smtp_login_failed", peer=self._address)
        return logged_in(self._session, right=right)

    # --- a mail ----------------------------------------------------------------------------------------------

    def _begin_data(self) -> None:
        session = self._session
        assert session.mail is not None
        self._receipt = Receipt(
            session.mail,
            self._context.spool.begin(),
            bare=session.line_ends.bare,
            max_size=self._context.max_size,
        )
        session.mail = None

    def _take_data(self, receipt: Receipt) -> bool:
        """Take a block of data; what cannot be taken at once is left to a task."""
        if not self._incoming.came:
            return False
        self._our_turn()
        self._owed = 0
        try:
            if receipt.large:
                self._work_on(self._receive(receipt), name="smtp-large")
                return True
            receipt.feed(self._incoming.block(BLOCK_BYTES))
            if receipt.waits_for_disk:
                self._work_on(self._receive(receipt), name="smtp-large")
            elif receipt.rest is not None:
                self._received(receipt)
        except Exception:  # the session's edge, as above
            self._discard_receipt()
            self._reply_to_error()
            log.exception("smtp_command_failed", peer=self._address)
        return True

    def _received(self, receipt: Receipt) -> None:
        """The end of data was found, and all of it is in memory."""
        self._at_end(receipt)
        try:
            body = receipt.complete()
        except SmtpError as error:
            self._answer(delivered(self._session, self._refused(receipt, error)))
            self._retire_if_idle()
        else:
            self._work_on(self._hand_over(receipt, body), name="smtp-delivery")

    def _at_end(self, receipt: Receipt) -> None:
        assert receipt.rest is not None
        self._incoming.unread(receipt.rest)
        self._receipt = None
        self._owed = answers_due(self._session, receipt.mail)

    def _refused(self, receipt: Receipt, error: SmtpError) -> Sequence[Reply]:
        return receipt.refused(error, tally=self._context.tally, peer=self._address)

    async def _receive(self, receipt: Receipt) -> SessionAnswer:
        """The answer to a mail that does not fit into memory, or comes in more than a block."""
        try:
            await receive(receipt, self._block, queue=self._context.large_messages)
            self._at_end(receipt)
            body = await receipt.finish()
        except SmtpError as error:
            return delivered(self._session, self._refused(receipt, error))
        except BaseException:
            receipt.discard()
            raise
        return await self._hand_over(receipt, body)

    async def _block(self) -> bytes:
        """What has come of the data; raises EOFError at the end."""
        while not self._incoming.came:
            if self._eof or self.transport is None:
                raise EOFError
            self._flush()
            self._await_sender()
            self._more = self._loop.create_future()
            await self._more
        self._our_turn()
        block = self._incoming.block(BLOCK_BYTES)
        self._regulate()
        return block

    async def _hand_over(self, receipt: Receipt, body: Body) -> SessionAnswer:
        """The answer to a mail that was received.

        Once it is handed over its file is ours to remove only if the intake says so: when that fails or is broken off,
        nobody knows whether it was kept, and the sweep at the next start will tell.
        """
        answers = await hand_over(
            receipt.mail,
            body,
            intake=self._context.intake,
            protocol=self._session.spoken,
            peer=self._address,
        )
        if any(answer.accepted for answer in answers):
            self._session_ends_at = self._loop.time() + self._limits.session_timeout_s
        else:
            receipt.discard()
        return delivered(self._session, answers)

    # --- the end -------------------------------------------------------------------------------------------

    def _closed(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)
        waits_for_us = self._next_turn is not None or self._choked
        if self._work is None and (self.transport is None or not waits_for_us):
            self._over()

    def _over(self) -> None:
        """The session is over."""
        if self._proxy is not None:
            self._proxy.close()
        self._discard_receipt()
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._end()
        if self.transport is None and self._listed:
            self._listed = False
            self._go_out()
            self._context.sessions.discard(self)
            self._context.tally.end(self._session.dialect.listener)

    def _discard_receipt(self) -> None:
        if self._receipt is not None:
            self._receipt.discard()
            self._receipt = None

    def _timed_out(self) -> None:
        self._break_off(replies.TIMED_OUT)

    def stop(self) -> None:
        """End the session wherever it is, telling the sender to come back later."""
        if not self._parting:
            self._break_off(replies.SHUTTING_DOWN)

    def _break_off(self, reply: Reply) -> None:
        self._part(reply)
        if self._work is not None:
            self._work.cancel()
        else:
            self._over()

    def retire(self) -> None:
        """End the session as soon as no mail is under way, at once if it is idle."""
        self._retiring = True
        if self._waits and self._proxy is None:
            self._retire_if_idle()
            if self._parting:
                self._over()

    def _retire_if_idle(self) -> None:
        if not self._retiring or self._parting:
            return
        session = self._session
        if session.mail is None and session.login is None and self._receipt is None and self._work is None:
            self._part(replies.SHUTTING_DOWN)
