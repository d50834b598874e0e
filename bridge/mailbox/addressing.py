"""Where a mailbox is, as an operator writes it: `imaps://host`, with a port if it is another than 993. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.errors import MalformedNameError

PORTS = {"imaps": 993, "imap": 143}


@dataclass(frozen=True, slots=True)
class ImapServer:
    """A mail server: `tls` is false only where it is on this machine, so that no password leaves it in the clear."""

    host: str
    port: int
    tls: bool


def read(url: str) -> ImapServer:
    """The server of a URL (RFC 5092 §3, but for login and folder); raises MalformedNameError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise MalformedNameError(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in PORTS or not host:
        raise MalformedNameError(f"{url!r} is no mail server; write imaps://imap.example.org")
    if parts.username is not None or parts.password is not None:
        raise MalformedNameError("the login goes behind --login, and the password into a file or a command")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise MalformedNameError(f"{url!r} has something behind the server; folders go behind --folder")
    if parts.scheme == "imap" and not _here(host):
        raise MalformedNameError(f"{url!r}: without TLS the password could be read on the way; write imaps://{host}")
    return ImapServer(host, port or PORTS[parts.scheme], parts.scheme == "imaps")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
