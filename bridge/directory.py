"""Who gets mail for an address: a few questions to a book of who is registered. Pure.

Rules: the domain is compared without case (RFC 5321 §2.4), as A-label where it is international;
the local part is looked up exactly first and then without case, since §4.1.1.3 leaves its meaning
to us alone and people do not remember capitals. `user+detail` belongs to `user` unless the whole
address is registered. `@domain` catches what nobody else has. `postmaster` always has a
recipient (§4.5.1): whoever registered it, else the first user.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from bridge.errors import MalformedAddressError, UnknownUserError
from bridge.model import Recipient

SEPARATOR = "+"
COPY_DOMAIN = "postbell.invalid"
"""Mail servers address copies for Postbell to `local=domain@` here (see `bridge.setup`); RFC 2606 §2 keeps it free."""

PROBES = "postbell-doctor-"
"""Users whose names begin so are the doctor's (`bridge.doctor`): made for a moment, and nobody else's."""
PROBE_DOMAIN = "doctor.invalid"
"""Where their mail goes; RFC 2606 §2 keeps this free, too."""

DETAIL_CHARACTERS = 64
_DOMAIN = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-z.:-]+\]"
)
_LONGEST = 320  # RFC 3696 erratum 1690 says 254; addresses with SMTPUTF8 may take more bytes


@dataclass(frozen=True, slots=True)
class User:
    """A person who gets mail. `name` is fit for topics (`contract/topics.py`), `cell` is their broker's."""

    user_id: int
    name: str
    cell: int = 0


class AddressBook(Protocol):
    """Who is registered, asked for one thing at a time. Addresses are as `normalise` gives them."""

    def owner(self, address: str) -> User | None:
        """Who has this address, or is the `@domain` that it is."""

    def alike(self, address: str) -> User | None:
        """Who has an address that differs in case alone; of several the first in the order of their characters."""

    def has_domain(self, domain: str) -> bool:
        """Whether anybody has an address of this domain."""

    def postmaster(self) -> User | None:
        """Who registered `postmaster` of any domain, else the first user; none without users.

        The doctor's are not of those who would.
        """


def resolve(address: str, book: AddressBook) -> Recipient:
    """Whose address this is; raises UnknownUserError or MalformedAddressError. A handful of questions to the book."""
    if address.casefold() == "postmaster":
        return _recipient(address, book.postmaster(), "")
    local, domain = split(address)
    if domain == COPY_DOMAIN and "=" in local:
        local, domain = split("@".join(local.rsplit("=", 1)))
    found, detail = _find(f"{local}@{domain}", book), ""
    if found is None and SEPARATOR in local:
        base, _, detail = local.partition(SEPARATOR)
        found = _find(f"{base}@{domain}", book) if base else None
    if found is None:
        found, detail = book.owner(f"@{domain}"), ""
    if found is None and local.casefold() == "postmaster" and book.has_domain(domain):
        found = book.postmaster()
    return _recipient(address, found, detail)


def _find(address: str, book: AddressBook) -> User | None:
    return book.owner(address) or book.alike(address)


def _recipient(address: str, user: User | None, detail: str) -> Recipient:
    if user is None:
        raise UnknownUserError(f"no user has the address {address}")
    return Recipient(address, user.user_id, user.name, clean_detail(detail))


def normalise(address: str) -> str:
    """The form in which an address (or `@domain`) is registered; raises MalformedAddressError."""
    if address.startswith("@"):
        return "@" + _domain(address[1:])
    local, domain = split(address)
    if local == "*":
        raise MalformedAddressError(f"for all addresses of a domain write @{domain}")
    return f"{local}@{domain}"


def split(address: str) -> tuple[str, str]:
    """Local part without its quotes, and domain in lower case (RFC 5321 §4.1.2)."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or len(address) > _LONGEST:
        raise MalformedAddressError(f"{address[:80]!r} is not a mail address")
    if len(local) >= 2 and local[0] == local[-1] == '"':
        local = _unquote(local[1:-1])
    local = unicodedata.normalize("NFC", local)
    if not local or any(unicodedata.category(character) in {"Cc", "Cs"} for character in local):
        raise MalformedAddressError("the local part is empty or has control characters")
    return local, _domain(domain)


def _unquote(quoted: str) -> str:
    plain, escaped = [], False
    for character in quoted:
        if character == "\\" and not escaped:
            escaped = True
            continue
        escaped = False
        plain.append(character)
    return "".join(plain)


def _domain(domain: str) -> str:
    domain = domain.rstrip(".").lower()
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise MalformedAddressError("the domain is not a valid international name") from error
    if not _DOMAIN.fullmatch(domain):
        raise MalformedAddressError(f"{domain[:80]!r} is not a domain; write an address alone, as alice@example.org")
    return domain


def clean_detail(detail: str) -> str:
    """A detail fit to be shown: printable characters only, of a bounded length."""
    kept = "".join(c for c in detail if unicodedata.category(c)[0] not in {"C", "Z"})
    return unicodedata.normalize("NFC", kept)[:DETAIL_CHARACTERS]
