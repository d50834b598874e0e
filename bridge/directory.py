"""Who gets mail for an address: a pure look-up over a frozen picture of the users.

Rules: the domain is compared without case (RFC 5321 §2.4), as A-label where it is international;
the local part is looked up exactly first and then without case, since §4.1.1.3 leaves its meaning
to us alone and people do not remember capitals. `user+detail` belongs to `user` unless the whole
address is registered. `@domain` catches what nobody else has. `postmaster` always has a
recipient (§4.5.1): whoever registered it, else the first user.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.errors import MalformedAddressError, UnknownUserError
from bridge.model import Recipient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEPARATOR = "+"
COPY_DOMAIN = "postbell.invalid"
"""Mail servers address copies for Postbell to `local=domain@` here (see `bridge.setup`); RFC 2606 §2 keeps it free."""

DETAIL_CHARACTERS = 64
_DOMAIN = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-z.:-]+\]"
)
_LONGEST = 320  # RFC 3696 erratum 1690 says 254; addresses with SMTPUTF8 may take more bytes


@dataclass(frozen=True, slots=True)
class User:
    """A person who gets mail."""

    user_id: int
    name: str
    views: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Directory:
    """All users and addresses at one moment. Keys are normalised addresses and `@domain`."""

    users: Mapping[int, User] = field(default_factory=lambda: MappingProxyType({}))
    addresses: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    folded: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, users: Iterable[User], addresses: Iterable[tuple[str, int]]) -> Directory:
        """A directory of these users and `(address, user_id)` pairs."""
        exact = dict(addresses)
        folded = {address.casefold(): user_id for address, user_id in sorted(exact.items(), reverse=True)}
        return cls(
            MappingProxyType({user.user_id: user for user in users}),
            MappingProxyType(exact),
            MappingProxyType(folded),
        )

    def resolve(self, address: str) -> Recipient:
        """Whose address this is; raises UnknownUserError or MalformedAddressError."""
        if address.casefold() == "postmaster":
            return self._postmaster(address, "postmaster", "")
        local, domain = split(address)
        if domain == COPY_DOMAIN and "=" in local:
            local, domain = split("@".join(local.rsplit("=", 1)))
        found, detail = self._find(f"{local}@{domain}"), ""
        if found is None and SEPARATOR in local:
            base, _, detail = local.partition(SEPARATOR)
            found = self._find(f"{base}@{domain}") if base else None
        if found is None:
            found, detail = self.addresses.get(f"@{domain}"), ""
        if found is None and local.casefold() == "postmaster":
            return self._postmaster(address, local, domain)
        if found is None:
            raise UnknownUserError(f"no user has the address {address}")
        return self._recipient(address, found, detail)

    def _find(self, address: str) -> int | None:
        found = self.addresses.get(address)
        return self.folded.get(address.casefold()) if found is None else found

    def _postmaster(self, address: str, local: str, domain: str) -> Recipient:
        ours = not domain or domain in {known.rpartition("@")[2] for known in self.addresses}
        if not ours or not self.users:
            raise UnknownUserError(f"no user has the address {address}")
        registered = [
            user for known, user in self.addresses.items() if known.casefold().startswith(f"{local}@".casefold())
        ]
        return self._recipient(address, registered[0] if registered else min(self.users), "")

    def _recipient(self, address: str, user_id: int, detail: str) -> Recipient:
        return Recipient(address, user_id, self.users[user_id].name, clean_detail(detail))


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
