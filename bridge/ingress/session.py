"""A session without its connection: what was said so far, and what is answered to the next line. Pure.

`command` is given a line and says what to reply and what comes next: another command, data, TLS, a login to be checked,
or the end. Sockets, clocks and disks are the business of whoever feeds it (`conversation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import SmtpError
from bridge.ingress import logins, replies
from bridge.ingress.line_ends import LineEnds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.ingress.limits import SessionLimits
    from bridge.model import Recipient
    from bridge.reply import Reply

    Verb = Callable[["MailSession", str], "SessionAnswer"]

LONGEST_LINE = 12_288
"""Bytes of a command line: what AUTH needs (RFC 4954 §4); the other commands need far less."""


class Next(Enum):
    """What follows an answer."""

    COMMAND = auto()
    """A line: a command, or what a login asks for."""
    DATA = auto()
    """The data of a mail (RFC 5321 §4.1.1.4)."""
    TLS = auto()
    """A handshake (RFC 3207)."""
    RECIPIENT = auto()
    """Whose the address in the answer is has to be looked up."""
    LOGIN = auto()
    """Whether the login in the answer is right has to be found out; none means that any is."""
    CLOSE = auto()
    """The end."""


class SessionAnswer(NamedTuple):
    """What is said, each a reply or finished lines, and what comes next."""

    replies: tuple[Reply | bytes, ...]
    then: Next = Next.COMMAND
    login: tuple[str, str] | None = None
    address: str = ""


RECIPIENT_OK: Final = SessionAnswer((replies.RECIPIENT_OK,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one listener speaks. `name` is the protocol's, as in RFC 3848 for those who greet with extensions.

    With `each_recipient` there is a reply to the data for each of them, else one for all. One that is not `indulgent`
    takes nothing of what devices do that cannot be mended (docs/decisions/0029).
    """

    name: str
    listener: str
    verbs: Mapping[str, Verb]
    each_recipient: bool = False
    indulgent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """What holds for all sessions of a listener.

    `known` says whose an address is, if that can be said at once, or raises SmtpError.
    """

    hostname: str
    max_size: int
    limits: SessionLimits
    known: Callable[[str], Recipient | None]
    tls: bool = False
    logins: bool = False
    any_login: bool = False


@dataclass(slots=True)
class MailTransaction:
    """A mail between MAIL and the end of its data. A recipient named twice is in it twice."""

    sender: str
    recipients: list[Recipient] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MailSession:
    """Where a conversation stands. `trusted` says that its sender needs no login, `secure` that it is encrypted."""

    dialect: Dialect
    terms: SessionTerms
    trusted: bool = False
    secure: bool = False
    greeted: bool = False
    extended: bool = False
    authenticated: bool = False
    mail: MailTransaction | None = None
    login: logins.LoginDialogue | None = None
    line_ends: LineEnds = field(default_factory=LineEnds)
    commands: int = 0
    errors: int = 0

    @property
    def indulged(self) -> bool:
        """Whether this sender is taken as a device that cannot be mended."""
        return self.trusted and self.dialect.indulgent

    @property
    def any_login(self) -> bool:
        """Whether any login is right, since it grants nothing."""
        return self.indulged and self.terms.any_login

    @property
    def may_stay(self) -> bool:
        """Whether the sender could ever send mail: it is trusted, or may log in."""
        return self.trusted or (self.terms.logins and self.terms.tls)

    @property
    def login_needed(self) -> bool:
        """Whether the sender may not send mail before it has logged in."""
        return not (self.authenticated or self.trusted)

    @property
    def spoken(self) -> str:
        """The protocol's name with what was agreed on, as in RFC 3848."""
        if not self.extended:
            return "SMTP"
        return self.dialect.name + "S" * self.secure + "A" * self.authenticated

    def encrypted(self) -> None:
        """TLS has begun: nothing that was said before counts (RFC 3207 §4.2)."""
        self.secure = True
        self.greeted = False
        self.mail = None

    def refuse(self, reply: Reply) -> SessionAnswer:
        """The answer that a command failed; after too many the next one is answered with good-bye."""
        self.errors += 1
        return SessionAnswer((reply,))


def command(session: MailSession, line: bytes) -> SessionAnswer:
    """The answer to a line with its end. Raises nothing but what `known` raises beside SmtpError."""
    if session.login is not None:
        return _answer_of_login(session, line)
    session.commands += 1
    limits = session.terms.limits
    if session.errors >= limits.errors or session.commands > limits.commands:
        return SessionAnswer((_over_limit(session),), Next.CLOSE)
    said = session.line_ends.cut(line, indulged=session.indulged)
    if said is None:
        return session.refuse(replies.BARE_LF)
    try:
        return _obeyed(session, said.decode())
    except UnicodeDecodeError:
        if not session.indulged:
            return session.refuse(replies.BAD_SYNTAX)
    return _obeyed(session, said.decode(errors="replace"))


def _over_limit(session: MailSession) -> Reply:
    few = session.errors < session.terms.limits.errors
    return replies.TOO_MANY_COMMANDS if few else replies.TOO_MANY_ERRORS


def _obeyed(session: MailSession, said: str) -> SessionAnswer:
    word, _, argument = said.partition(" ")
    verb = session.dialect.verbs.get(word.upper())
    if verb is None:
        return session.refuse(replies.UNKNOWN_COMMAND if word else replies.BAD_SYNTAX)
    try:
        return verb(session, argument.strip())
    except SmtpError as error:
        return session.refuse(error.reply)


def overlong(session: MailSession) -> SessionAnswer:
    """The answer to a line that was longer than `LONGEST_LINE`, which nobody has looked at."""
    session.line_ends.overlong()
    if session.login is None:
        return session.refuse(replies.LINE_TOO_LONG)
    return _go_on(session, None, replies.AUTH_LINE_TOO_LONG)


def go_on_with_login(session: MailSession, login: logins.LoginDialogue) -> SessionAnswer:
    """The answer to AUTH: what the mechanism asks for first, or what it knows already."""
    session.login = login
    return _go_on(session, None)


def recipient_found(session: MailSession, recipient: Recipient) -> SessionAnswer:
    """The answer to RCPT when it is known whose the address is."""
    assert session.mail is not None
    session.mail.recipients.append(recipient)
    return RECIPIENT_OK


def logged_in(session: MailSession, *, right: bool) -> SessionAnswer:
    """The answer to a login of which it was found out whether it is right."""
    if not right:
        return session.refuse(replies.AUTH_INVALID)
    session.authenticated = True
    return SessionAnswer((replies.AUTHENTICATED,))


def answers_due(session: MailSession, mail: MailTransaction) -> int:
    """How many replies the sender waits for after the data."""
    return len(mail.recipients) if session.dialect.each_recipient else 1


def delivered(session: MailSession, answers: Sequence[Reply]) -> SessionAnswer:
    """What is said after the data, of which there is an answer for each recipient in the order of RCPT.

    Where there is one reply for all, it is a failure that may pass first, so that nobody's copy is lost: the copies
    that are kept already ring once, however often the sender tries the others. Limits count anew from an accepted mail.
    """
    said = tuple(answers) if session.dialect.each_recipient else (min(answers, key=_weight),)
    for answer in said:
        if answer.accepted:
            session.commands = session.errors = 0
        else:
            session.errors += 1
    return SessionAnswer(said)


def _weight(reply: Reply) -> int:
    if reply.accepted:
        return 2
    return 0 if reply.code < 500 else 1


def _answer_of_login(session: MailSession, line: bytes) -> SessionAnswer:
    """The line that answers a challenge, read with the bounds of a command; `*` gives up (RFC 4954 §4)."""
    answer = session.line_ends.cut(line, indulged=session.indulged)
    if answer is None:
        return _go_on(session, None, replies.BARE_LF)
    if answer == b"*":
        return _go_on(session, None, replies.AUTH_ABANDONED)
    return _go_on(session, answer)


def _go_on(session: MailSession, answer: bytes | None, *said: Reply) -> SessionAnswer:
    assert session.login is not None
    told = session.login.go_on(answer)
    if not isinstance(told, logins.LoginOutcome):
        return SessionAnswer((*said, *session.login.said(), told))
    everything = (*said, *session.login.said())
    session.login = None
    if told.failed:
        session.errors += 1
        return SessionAnswer(everything)
    return SessionAnswer(everything, Next.LOGIN, told.login)
