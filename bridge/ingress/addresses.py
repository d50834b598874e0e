"""Paths and parameters of MAIL and RCPT (RFC 5321 §4.1.2), as pure functions over text.

Read as real servers read them: missing angle brackets, blanks after the colon and local parts with
dots where none should be are taken, since refusing them loses mail and taking them harms nobody.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from bridge.errors import MalformedAddressError, SmtpError
from bridge.reply import Reply

LONGEST_PATH = 1024
"""Characters; RFC 5321 §4.5.3.1.3 asks for 256, source routes and SMTPUTF8 need more."""

_PLAIN = re.compile(r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+)>(?: (.*))?", re.DOTALL)
_ROUTE = re.compile(r"@[^\s@,:<>\"]+(?:,@[^\s@,:<>\"]+)*:")
_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"]+")
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.)*"')
_DOMAIN = re.compile(r"[^\s@<>()\[\]\\,;:\"]+|\[[0-9A-Za-z.:-]+\]")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_SIZE = re.compile(r"[0-9]{1,20}")


class BadParameterError(SmtpError):
    """A parameter of MAIL or RCPT whose value is wrong (RFC 5321 §4.1.1.11)."""

    reply = Reply(501, "5.5.4", "Bad parameter value")


class UnknownParameterError(SmtpError):
    """A parameter that was never offered (RFC 5321 §4.1.1.11)."""

    reply = Reply(555, "5.5.4", "Parameter not recognized")


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What MAIL may say beside the sender: the size in bytes (0 when not said) and SMTPUTF8."""

    size: int = 0
    utf8: bool = False


def parse_path(text: str) -> tuple[str, str]:
    """The address in `<path> parameters` and the parameters; the null path gives "".

    A source route is dropped (RFC 5321 §4.1.1.3), quotes of the local part stay. Raises
    MalformedAddressError.
    """
    plain = _PLAIN.fullmatch(text)
    if plain is not None and len(text) <= LONGEST_PATH:
        return plain[1], plain[2] or ""
    text = text.strip()
    path, rest = _split_path(text)
    if len(path) > LONGEST_PATH or (rest and not rest.startswith(" ")):
        raise MalformedAddressError("the path is too long or not followed by a blank")
    return _mailbox(path), rest.strip()


def _split_path(text: str) -> tuple[str, str]:
    if not text.startswith("<"):
        path, blank, rest = text.partition(" ")
        if not path:
            raise MalformedAddressError("there is no address")
        return path, blank + rest
    quoted = escaped = False
    for index, character in enumerate(text[: LONGEST_PATH + 2]):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return text[1:index], text[index + 1 :]
    raise MalformedAddressError("the path has no end")


def _mailbox(path: str) -> str:
    if not path:
        return ""
    route = _ROUTE.match(path)
    mailbox = path[route.end() :] if route else path
    local = _QUOTED_LOCAL.match(mailbox) or _LOCAL.match(mailbox)
    if local is None or any(unicodedata.category(character) in {"Cc", "Cs"} for character in mailbox):
        raise MalformedAddressError("the local part is empty or has characters that none may have")
    domain = mailbox[local.end() :]
    if domain and not (domain.startswith("@") and _DOMAIN.fullmatch(domain[1:])):
        raise MalformedAddressError("the domain is not one")
    return mailbox


def mail_parameters(text: str) -> MailParameters:
    """What `MAIL FROM:<…> text` says; raises BadParameterError or UnknownParameterError.

    RET and ENVID (RFC 3461) and AUTH (RFC 4954 §5) change nothing here and are taken unread.
    """
    size, utf8 = 0, False
    for keyword, value in _pairs(text):
        if keyword == "SIZE":
            if value is None or not _SIZE.fullmatch(value):
                raise BadParameterError("SIZE takes a number")
            size = int(value)
        elif keyword == "BODY":
            if value is None or value.upper() not in {"7BIT", "8BITMIME"}:
                raise BadParameterError("BODY takes 7BIT or 8BITMIME")
        elif keyword == "SMTPUTF8":
            if value is not None:
                raise BadParameterError("SMTPUTF8 takes no value")
            utf8 = True
        elif keyword not in {"RET", "ENVID", "AUTH"}:
            raise UnknownParameterError(keyword)
    return MailParameters(size, utf8)


def check_recipient_parameters(text: str) -> None:
    """Raise unless `RCPT TO:<…> text` has only what is taken unread: NOTIFY and ORCPT (RFC 3461)."""
    for keyword, _ in _pairs(text):
        if keyword not in {"NOTIFY", "ORCPT"}:
            raise UnknownParameterError(keyword)


def _pairs(text: str) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for word in text.split():
        keyword, equals, value = word.partition("=")
        if not _KEYWORD.fullmatch(keyword) or (equals and not value):
            raise BadParameterError("a parameter is keyword or keyword=value")
        pairs.append((keyword.upper(), value if equals else None))
    return pairs
