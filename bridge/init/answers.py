"""What `postbell init` has to be told, and what of it can be meant. Pure.

Each answer is judged as it comes, by the rules that hold for the configuration and the store; what cannot be
meant raises ValueError that says what to write instead.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from bridge.contract import topics
from bridge.directory import normalise
from bridge.errors import MalformedAddressError

if TYPE_CHECKING:
    from pathlib import PurePath

MQTTS: Final = 8883
"""The port of MQTT over TLS (IANA)."""

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST_NAME = 253


class MailServer(StrEnum):
    """Mail servers that can be made to hand Postbell a copy, or none for now."""

    POSTFIX = "postfix"
    EXIM = "exim"
    DOVECOT = "dovecot"
    OPENSMTPD = "opensmtpd"
    NONE = "none"


class Tls(StrEnum):
    """Where the certificate comes from that devices are shown."""

    LETSENCRYPT = "letsencrypt"
    LOCAL_CA = "local-ca"
    FILES = "files"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Answers:
    """All that `postbell init` asks. `certificate` and `key` are files for Tls.FILES, and None else.

    `also` are further names and addresses of the host, for the certificate of a local CA.
    """

    host: str
    mail_server: MailServer
    tls: Tls
    user: str
    addresses: tuple[str, ...]
    device: str
    port: int = MQTTS
    certificate: PurePath | None = None
    key: PurePath | None = None
    also: tuple[str, ...] = ()


def host(text: str) -> str:
    """A name in the DNS, or an IP address, as devices will connect to it; raises ValueError."""
    meant = text.strip()
    with suppress(ValueError):
        return str(ip_address(meant.removeprefix("[").removesuffix("]")))
    with suppress(UnicodeError):
        name = meant.encode("idna").decode().lower().removesuffix(".")
        labels = name.split(".")
        if len(name) <= _LONGEST_NAME and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit():
            return name
    raise ValueError(f"{meant!r}: write a host name, as mail.example.org, or an IP address; no port, no URL")


def user(text: str) -> str:
    """The name of a user; raises ValueError."""
    return _name(text)


def device(text: str) -> str:
    """The name of a device; raises ValueError."""
    return _name(text)


def address(text: str) -> str:
    """A mail address, or @domain for all else of a domain; raises ValueError."""
    try:
        normalise(text.strip())
    except MalformedAddressError as error:
        raise ValueError(str(error)) from error
    return text.strip()


def _name(text: str) -> str:
    if not topics.valid_name(text.strip()):
        raise ValueError(f"{text.strip()!r}: use 1 to 32 of a-z 0-9 _ - and begin with a letter or digit")
    return text.strip()
