"""The tree of errors. Each one that a mail sender can cause or meet carries its SMTP reply."""

from __future__ import annotations

from typing import ClassVar

from bridge.reply import Reply


def in_words(error: BaseException) -> str:
    """An error of the system or of a library as people say it, without its number and Python's names for it."""
    untrusted = getattr(error, "verify_message", "")
    if untrusted:
        return f"the certificate is not trusted: {untrusted}"
    of_tls = getattr(error, "reason", None)
    if isinstance(error, OSError) and isinstance(of_tls, str):
        return f"TLS failed: {of_tls.lower().replace('_', ' ')}"
    said = getattr(error, "strerror", None) or str(error)
    return str(said or ("timed out" if isinstance(error, TimeoutError) else repr(error)))


class PostbellError(Exception):
    """Base of every error that Postbell raises on purpose. Its text is fit for the operator."""


class ConfigurationError(PostbellError):
    """The configuration cannot be used; the text names file, key, value, and what to do."""


class MalformedNameError(PostbellError):
    """The operator asked for a name that cannot be: wrong usage, not a failure."""


class SmtpError(PostbellError):
    """An error with a reply for the mail sender; the reply never shows internals."""

    reply: ClassVar[Reply] = Reply(451, "4.3.0", "Local error, try again later")


class UnknownUserError(SmtpError):
    """The directory does not know the address (RFC 5321 §3.3, RFC 3463 X.1.1)."""

    reply = Reply(550, "5.1.1", "No such user here")


class MalformedAddressError(SmtpError):
    """The address is not one (RFC 5321 §4.1.2, RFC 3463 X.1.3)."""

    reply = Reply(501, "5.1.3", "Bad address syntax")


class TooLargeError(SmtpError):
    """The message exceeds the announced SIZE (RFC 1870 §6.2)."""

    reply = Reply(552, "5.3.4", "Message too big")


class OverQuotaError(SmtpError):
    """This user has as many messages as one user may have; others get theirs (RFC 3463 X.2.2)."""

    reply = Reply(452, "4.2.2", "Mailbox full, try again later")


class LoopError(SmtpError):
    """Too many Received fields (RFC 5321 §6.3)."""

    reply = Reply(554, "5.4.6", "Too many hops, mail loop")


class StoreUnavailableError(SmtpError):
    """The store could not commit; nothing was kept, the sender must try again (RFC 3463 X.3.0)."""

    reply = Reply(451, "4.3.0", "Mail store unavailable, try again later")


class StoreContendedError(StoreUnavailableError):
    """Somebody else was changing the same rows, and this was given up; the same may succeed at once."""


class StoreFullError(StoreUnavailableError):
    """The spool has no room for the message (RFC 3463 X.3.1); a commit that fails is always 451 4.3.0."""

    reply = Reply(452, "4.3.1", "Mail store full, try again later")


class StoreCorruptError(PostbellError):
    """The database is damaged or not ours; the text says how to recover. Senders get StoreUnavailableError's reply."""


class BadRequestError(PostbellError):
    """A device's request that cannot be answered; `status` (`contract/requests.py`) and text go into the reply."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class LinkDownError(PostbellError):
    """The connection to the broker is gone; whether a message in flight arrived is unknown."""


class RefusedError(PostbellError):
    """The broker refused the connection or a subscription; the text says why."""


class PublishRefusedError(RefusedError):
    """The broker did not take a publish, or says beforehand that it would not; the text says why."""
