"""SMTP as in RFC 5321: the verbs of a conversation, from EHLO to DATA, as functions of the session. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiosmtpd.smtp import syntax

from bridge.errors import MalformedAddressError, TooLargeError
from bridge.ingress import logins, replies
from bridge.ingress.addresses import check_recipient_parameters, mail_parameters, parse_path
from bridge.ingress.device_paths import parse_device_path
from bridge.ingress.session import (
    Dialect,
    MailSession,
    MailTransaction,
    Next,
    SessionAnswer,
    go_on_with_login,
    recipient_found,
)
from bridge.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.ingress.session import Verb

_OK: Final = SessionAnswer((replies.OK,))
_SENDER_OK: Final = SessionAnswer((replies.SENDER_OK,))
_SEND_DATA: Final = SessionAnswer((b"354 End data with <CR><LF>.<CR><LF>\r\n",), Next.DATA)


@syntax("HELO name")
def helo(session: MailSession, argument: str) -> SessionAnswer:
    """Greeting without extensions (RFC 5321 §4.1.1.1)."""
    if not argument:
        return session.refuse(replies.NAME_NEEDED)
    _greet(session, extended=False)
    return SessionAnswer((f"250 {session.terms.hostname}\r\n".encode(),))


@syntax("EHLO name")
def ehlo(session: MailSession, argument: str) -> SessionAnswer:
    """Greeting with extensions (RFC 5321 §4.1.1.1)."""
    if not argument:
        return session.refuse(replies.NAME_NEEDED)
    _greet(session, extended=True)
    *others, last = [session.terms.hostname, *_extensions(session)]
    return SessionAnswer(("".join([*(f"250-{line}\r\n" for line in others), f"250 {last}\r\n"]).encode(),))


@syntax("LHLO name")
def lhlo(session: MailSession, argument: str) -> SessionAnswer:
    """The only greeting of LMTP (RFC 2033 §4.1)."""
    answer: SessionAnswer = ehlo(session, argument)
    return answer


def _greet(session: MailSession, *, extended: bool) -> None:
    session.mail = None
    session.greeted = True
    session.extended = extended


def _extensions(session: MailSession) -> list[str]:
    """What is offered at this moment."""
    terms = session.terms
    offered = ["PIPELINING", f"SIZE {terms.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
    if terms.tls and not session.secure:
        offered.append("STARTTLS")
    if session.any_login or (session.secure and terms.logins):
        offered.append("AUTH " + " ".join(logins.MECHANISMS))
    return [*offered, "HELP"]


@syntax("MAIL FROM:<address> [parameters]")
def mail(session: MailSession, argument: str) -> SessionAnswer:
    """Begin a transaction (RFC 5321 §4.1.1.2)."""
    if not session.greeted:
        return session.refuse(replies.GREETING_NEEDED)
    if session.login_needed:
        return session.refuse(replies.AUTH_NEEDED)
    if session.mail is not None:
        return session.refuse(replies.MAIL_NESTED)
    if argument[:5].upper() != "FROM:":
        return session.refuse(replies.MAIL_SYNTAX)
    sender, rest = _parse(session, argument[5:])
    if rest and mail_parameters(rest).size > session.terms.max_size:
        raise TooLargeError
    session.mail = MailTransaction(sender)
    return _SENDER_OK


def _parse(session: MailSession, path: str) -> tuple[str, str]:
    return parse_device_path(path) if session.indulged else parse_path(path)


@syntax("RCPT TO:<address> [parameters]")
def rcpt(session: MailSession, argument: str) -> SessionAnswer:
    """Add a recipient, who is looked up at once (RFC 5321 §4.1.1.3)."""
    if session.mail is None:
        return session.refuse(replies.MAIL_NEEDED)
    if argument[:3].upper() != "TO:":
        return session.refuse(replies.RECIPIENT_SYNTAX)
    if len(session.mail.recipients) >= session.terms.limits.recipients:
        return SessionAnswer((replies.TOO_MANY_RECIPIENTS,))
    address, rest = _parse(session, argument[3:])
    if not address:
        raise MalformedAddressError("a recipient cannot be the null path")
    if rest:
        check_recipient_parameters(rest)
    found = session.terms.known(address)
    if found is None:
        return SessionAnswer((), Next.RECIPIENT, address=address)
    return recipient_found(session, found)


@syntax("DATA")
def data(session: MailSession, argument: str) -> SessionAnswer:
    """Ask for the message (RFC 5321 §4.1.1.4). Whoever takes it takes the transaction out of the session."""
    if argument:
        return session.refuse(replies.NO_ARGUMENT_ALLOWED)
    if session.mail is None:
        return session.refuse(replies.MAIL_NEEDED)
    if not session.mail.recipients:
        return session.refuse(replies.RECIPIENT_NEEDED)
    return _SEND_DATA


@syntax("STARTTLS")
def starttls(session: MailSession, argument: str) -> SessionAnswer:
    """Encrypt; the sender greets again afterwards (RFC 3207 §4.2)."""
    if argument:
        return session.refuse(replies.NO_ARGUMENT_ALLOWED)
    if not session.terms.tls:
        return session.refuse(replies.NOT_IMPLEMENTED)
    if session.secure:
        return session.refuse(replies.TLS_ACTIVE)
    return SessionAnswer((replies.TLS_READY,), Next.TLS)


@syntax("AUTH mechanism [initial-response]")
def auth(session: MailSession, argument: str) -> SessionAnswer:
    """Log in, over TLS only (RFC 4954 §4), unless it means nothing."""
    words = argument.split()
    for wrong, reply in (
        (not session.terms.logins and not session.any_login, replies.AUTH_UNNEEDED),
        (not session.greeted, replies.GREETING_NEEDED),
        (not session.extended and not session.any_login, replies.EHLO_NEEDED),
        (not session.secure and not session.any_login, replies.TLS_NEEDED),
        (session.authenticated, replies.AUTH_DONE),
        (session.mail is not None, replies.AUTH_DURING_MAIL),
        (len(words) not in {1, 2}, replies.AUTH_SYNTAX),
    ):
        if wrong:
            return session.refuse(reply)
    if words[0].upper() not in logins.MECHANISMS:
        return session.refuse(replies.MECHANISM_UNKNOWN)
    return go_on_with_login(session, logins.LoginDialogue(words, ignored=session.any_login))


@syntax("RSET")
def rset(session: MailSession, argument: str) -> SessionAnswer:
    """Forget the transaction (RFC 5321 §4.1.1.5)."""
    if argument:
        return session.refuse(replies.NO_ARGUMENT_ALLOWED)
    session.mail = None
    return _OK


@syntax("NOOP [anything]")
def noop(session: MailSession, argument: str) -> SessionAnswer:
    """Do nothing (RFC 5321 §4.1.1.9)."""
    del session, argument
    return _OK


@syntax("QUIT")
def quit_(session: MailSession, argument: str) -> SessionAnswer:
    """End the session (RFC 5321 §4.1.1.10)."""
    if argument:
        return session.refuse(replies.NO_ARGUMENT_ALLOWED)
    return SessionAnswer((replies.BYE,), Next.CLOSE)


@syntax("VRFY address")
def vrfy(session: MailSession, argument: str) -> SessionAnswer:
    """Say nothing about anybody, as RFC 5321 §7.3 allows."""
    return SessionAnswer((replies.CANNOT_VERIFY,)) if argument else session.refuse(replies.VERIFY_SYNTAX)


def expn(session: MailSession, argument: str) -> SessionAnswer:
    """Not implemented, as RFC 5321 §4.5.1 allows."""
    del argument
    return session.refuse(replies.NOT_IMPLEMENTED)


@syntax("HELP [command]")
def help_(session: MailSession, argument: str) -> SessionAnswer:
    """Name the commands, or show one command's syntax (RFC 5321 §4.1.1.8)."""
    verbs = session.dialect.verbs.items()
    known = {name: verb.__smtp_syntax__ for name, verb in verbs if hasattr(verb, "__smtp_syntax__")}
    if not argument:
        return SessionAnswer((Reply(214, "2.0.0", "Commands: " + " ".join(sorted(known))),))
    if argument.upper() in known:
        return SessionAnswer((Reply(214, "2.0.0", "Syntax: " + known[argument.upper()]),))
    return session.refuse(Reply(504, "5.5.1", "No such command"))


VERBS: Final[Mapping[str, Verb]] = {
    "AUTH": auth, "DATA": data, "EXPN": expn, "HELP": help_, "MAIL": mail, "NOOP": noop, "QUIT": quit_, "RCPT": rcpt,
    "RSET": rset, "STARTTLS": starttls, "VRFY": vrfy,
}  # fmt: skip
"""The commands but for greetings, by their words."""

SMTP: Final = Dialect(name="ESMTP", listener="smtp", verbs={**VERBS, "HELO": helo, "EHLO": ehlo})
SMTPS: Final = Dialect(name="ESMTP", listener="smtps", verbs=SMTP.verbs)
