"""SMTP as in RFC 5321: the verbs of a conversation, from EHLO to the reply after the data."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from aiosmtpd.smtp import syntax

from bridge.errors import MalformedAddressError, SmtpError, TooLargeError
from bridge.ingress import replies
from bridge.ingress.addresses import check_recipient_parameters, mail_parameters, parse_path
from bridge.ingress.device_paths import parse_device_path
from bridge.ingress.reading import DataDecoder
from bridge.ingress.secured import SecuredConversation
from bridge.model import Envelope, Recipient, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.ingress.context import IngressContext
    from bridge.ingress.interfaces import ArrivingMessage
    from bridge.model import Body

BLOCK_BYTES = 64 * 1024
"""So much is read at once; a message that is longer waits its turn in the queue of the large ones."""

log = structlog.get_logger()


@dataclass(slots=True)
class MailTransaction:
    """A mail between MAIL and the end of its data. A recipient named twice is in it twice."""

    sender: str
    recipients: list[Recipient] = field(default_factory=list)


class SmtpConversation(SecuredConversation):
    """A conversation in SMTP or ESMTP."""

    def __init__(self, context: IngressContext, *, implicit_tls: bool = False) -> None:
        super().__init__(context, implicit_tls=implicit_tls)
        self._mail: MailTransaction | None = None

    def _set_rset_state(self) -> None:
        """The library's word for it, when the connection begins."""

    def forget_mail(self) -> None:
        """Drop the transaction that is open, if any."""
        self._mail = None

    @property
    def busy(self) -> bool:
        """Whether a transaction is open; while data is read no command is waited for anyway."""
        return self._mail is not None

    @property
    def spoken(self) -> str:
        """The protocol's name with what was agreed on, as in RFC 3848."""
        if not self._extended:
            return "SMTP"
        return self.protocol + "S" * self._secure + "A" * self._authenticated

    @syntax("HELO name")
    async def do_helo(self, arg: str) -> None:
        """Greeting without extensions (RFC 5321 §4.1.1.1)."""
        if not arg:
            self.refuse(replies.NAME_NEEDED)
            return
        self._greet(extended=False)
        self._said.append(f"250 {self._context.hostname}\r\n".encode())

    @syntax("EHLO name")
    async def do_ehlo(self, arg: str) -> None:
        """Greeting with extensions (RFC 5321 §4.1.1.1)."""
        if not arg:
            self.refuse(replies.NAME_NEEDED)
            return
        self._greet(extended=True)
        lines = [self._context.hostname, *self._extensions()]
        last = len(lines) - 1
        self._said.extend(f"250{' ' if i == last else '-'}{line}\r\n".encode() for i, line in enumerate(lines))

    def _greet(self, *, extended: bool) -> None:
        self._mail = None
        self._greeted = True
        self._extended = extended

    def _extensions(self) -> list[str]:
        offered = ["PIPELINING", f"SIZE {self._context.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        return [*offered, *self.security_extensions(), "HELP"]

    @syntax("MAIL FROM:<address> [parameters]")
    async def do_mail(self, arg: str) -> None:
        """Begin a transaction (RFC 5321 §4.1.1.2)."""
        if not self._greeted:
            self.refuse(replies.GREETING_NEEDED)
        elif self.login_needed:
            self.refuse(replies.AUTH_NEEDED)
        elif self._mail is not None:
            self.refuse(replies.MAIL_NESTED)
        elif arg[:5].upper() != "FROM:":
            self.refuse(replies.MAIL_SYNTAX)
        else:
            sender, rest = self._parse(arg[5:])
            if rest and mail_parameters(rest).size > self._context.max_size:
                raise TooLargeError
            self._mail = MailTransaction(sender)
            self.say(replies.SENDER_OK)

    def _parse(self, path: str) -> tuple[str, str]:
        return parse_device_path(path) if self.indulged else parse_path(path)

    @syntax("RCPT TO:<address> [parameters]")
    async def do_rcpt(self, arg: str) -> None:
        """Add a recipient, who is looked up at once (RFC 5321 §4.1.1.3)."""
        if self._mail is None:
            self.refuse(replies.MAIL_NEEDED)
        elif arg[:3].upper() != "TO:":
            self.refuse(replies.RECIPIENT_SYNTAX)
        elif len(self._mail.recipients) >= self._limits.recipients:
            self.say(replies.TOO_MANY_RECIPIENTS)
        else:
            address, rest = self._parse(arg[3:])
            if not address:
                raise MalformedAddressError("a recipient cannot be the null path")
            if rest:
                check_recipient_parameters(rest)
            self._mail.recipients.append(self._context.intake.resolve(address))
            self.say(replies.RECIPIENT_OK)

    @syntax("DATA")
    async def do_data(self, arg: str) -> None:
        """Take the message and hand it over (RFC 5321 §4.1.1.4)."""
        if arg:
            self.refuse(replies.NO_ARGUMENT_ALLOWED)
        elif self._mail is None:
            self.refuse(replies.MAIL_NEEDED)
        elif not self._mail.recipients:
            self.refuse(replies.RECIPIENT_NEEDED)
        else:
            self._said.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            mail, self._mail = self._mail, None
            self._answer(await self._deliver(mail))

    async def _deliver(self, mail: MailTransaction) -> Sequence[Reply]:
        """One answer for each recipient of a mail whose data comes now.

        What was not received completely is discarded. Once the mail is handed over its file is ours
        to remove only if the intake says so: when that fails or is broken off, nobody knows whether
        it was kept, and the sweep at the next start will tell.
        """
        message = self._context.spool.begin()
        try:
            body = await self._receive(message, len(mail.recipients))
        except SmtpError as error:
            message.discard()
            reply, reason = error.reply, str(error) or error.reply.text
            self._context.tally.messages_refused[reply.code, reply.status] += 1
            log.warning("message_refused", code=reply.code, status=reply.status, reason=reason, peer=self._address)
            return [reply] * len(mail.recipients)
        except BaseException:
            message.discard()
            raise
        answers = await self._hand_over(mail, body)
        if not any(answer.accepted for answer in answers):
            message.discard()
        return answers

    async def _receive(self, message: ArrivingMessage, recipients: int) -> Body:
        """The message up to the end of data; a problem is raised only there, the rest being read and dropped."""
        decoder = DataDecoder(bare=self._line_ends.bare)
        problem: SmtpError | None = None
        rest: bytes | None = None
        self._owed = 0
        while rest is None:
            self._await_sender()
            await self._flush()
            block = await self._reader.block(BLOCK_BYTES)
            self._deadline.lift()
            large = message.size >= BLOCK_BYTES
            async with self._context.large_messages if large else contextlib.nullcontext():
                content, rest = decoder.feed(block)
                if problem is None:
                    problem = await self._append(message, content)
        self._reader.unread(rest)
        self._owed = self._answers_due(recipients)
        if problem is not None:
            raise problem
        return await message.finish()

    async def _append(self, message: ArrivingMessage, content: bytes) -> SmtpError | None:
        """Add to the message; with the first problem nothing of it is left."""
        try:
            if message.size + len(content) > self._context.max_size:
                raise TooLargeError
            await message.write(content)
        except SmtpError as error:
            message.discard()
            return error
        return None

    async def _hand_over(self, mail: MailTransaction, body: Body) -> Sequence[Reply]:
        unique = tuple(dict.fromkeys(mail.recipients))
        envelope = Envelope(mail.sender, unique, body, self.spoken, self._address)
        answers = dict(zip(unique, await self._context.intake.accept(envelope), strict=True))
        return [answers[recipient] for recipient in mail.recipients]

    def _answers_due(self, recipients: int) -> int:
        """How many replies the sender waits for after the data."""
        del recipients
        return 1

    def _answer(self, answers: Sequence[Reply]) -> None:
        """Reply once for all recipients: a failure that may pass first, so that nobody's copy is lost.

        The copies that are kept already ring once, however often the sender tries the others.
        """
        self._judge(min(answers, key=_weight))

    def _judge(self, answer: Reply) -> None:
        if answer.accepted:
            self.made_progress()
            self.say(answer)
        else:
            self.refuse(answer)

    @syntax("RSET")
    async def do_rset(self, arg: str) -> None:
        """Forget the transaction (RFC 5321 §4.1.1.5)."""
        if arg:
            self.refuse(replies.NO_ARGUMENT_ALLOWED)
            return
        self._mail = None
        self.say(replies.OK)

    @syntax("NOOP [anything]")
    async def do_noop(self, arg: str) -> None:
        """Do nothing (RFC 5321 §4.1.1.9)."""
        del arg
        self.say(replies.OK)

    @syntax("QUIT")
    async def do_quit(self, arg: str) -> None:
        """End the session (RFC 5321 §4.1.1.10)."""
        if arg:
            self.refuse(replies.NO_ARGUMENT_ALLOWED)
            return
        self.farewell(replies.BYE)

    @syntax("VRFY address")
    async def do_vrfy(self, arg: str) -> None:
        """Say nothing about anybody, as RFC 5321 §7.3 allows."""
        self.refuse(replies.VERIFY_SYNTAX) if not arg else self.say(replies.CANNOT_VERIFY)

    async def do_expn(self, arg: str) -> None:
        """Not implemented, as RFC 5321 §4.5.1 allows."""
        del arg
        self.refuse(replies.NOT_IMPLEMENTED)

    @syntax("HELP [command]")
    async def do_help(self, arg: str) -> None:
        """Name the commands, or show one command's syntax (RFC 5321 §4.1.1.8)."""
        known = {name: verb.__smtp_syntax__ for name, verb in self.verbs.items() if hasattr(verb, "__smtp_syntax__")}
        if not arg:
            self.say(Reply(214, "2.0.0", "Commands: " + " ".join(sorted(known))))
        elif arg.upper() in known:
            self.say(Reply(214, "2.0.0", "Syntax: " + known[arg.upper()]))
        else:
            self.refuse(Reply(504, "5.5.1", "No such command"))


def _weight(reply: Reply) -> int:
    if reply.accepted:
        return 2
    return 0 if reply.code < 500 else 1
