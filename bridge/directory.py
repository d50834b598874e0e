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
from typing import TYPE_CHECKING, Any

from bridge.errors import MalformedAddressError, UnknownUserError
from bridge.model import Recipient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    """A person who gets mail. `name` is fit for topics (`contract/topics.py`)."""

    user_id: int
    name: str


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Directory:
    """All users and addresses at one moment. Made by `of`; every question to it is a look-up, never a walk.

    The keys of `addresses` are normalised addresses and `@domain`. What follows them is made of the
    two: addresses without case (of two that differ in case alone, the first in the order of their
    characters), users by name, all domains, and who gets postmaster's mail (None without users). The
    doctor's are not of those who would.
    """

    users: Mapping[int, User] = field(default_factory=_nothing)
    addresses: Mapping[str, int] = field(default_factory=_nothing)
    folded: Mapping[str, str] = field(default_factory=_nothing, repr=False)
    names: Mapping[str, User] = field(default_factory=_nothing, repr=False)
    domains: frozenset[str] = frozenset()
    postmaster: int | None = None

    @classmethod
    def of(cls, users: Iterable[User], addresses: Iterable[tuple[str, int]]) -> Directory:
        """A directory of these users and `(address, user_id)` pairs; the addresses as `normalise` gives them."""
        by_id, exact = {user.user_id: user for user in users}, dict(addresses)
        folded: dict[str, str] = {}
        domains: set[str] = set()
        postmaster: int | None = None
        for address, user_id in exact.items():
            key = address.casefold()
            if key not in folded or address < folded[key]:
                folded[key] = address
            local, _, domain = key.rpartition("@")
            domains.add(domain)
            if local == "postmaster" and postmaster is None:
                postmaster = user_id
        return cls(
            users=MappingProxyType(by_id),
            addresses=MappingProxyType(exact),
            folded=MappingProxyType(folded),
            names=MappingProxyType({user.name: user for user in by_id.values()}),
            domains=frozenset(domains),
            postmaster=_first(by_id.values()) if postmaster is None else postmaster,
        )

    def named(self, name: str) -> User | None:
        """The user of that name, or None."""
        return self.names.get(name)

    def resolve(self, address: str) -> Recipient:
        """Whose address this is; raises UnknownUserError or MalformedAddressError."""
        if address.casefold() == "postmaster":
            return self._recipient(address, self.postmaster, "")
        local, domain = split(address)
        if domain == COPY_DOMAIN and "=" in local:
            local, domain = split("@".join(local.rsplit("=", 1)))
        found, detail = self._find(f"{local}@{domain}"), ""
        if found is None and SEPARATOR in local:
            base, _, detail = local.partition(SEPARATOR)
            found = self._find(f"{base}@{domain}") if base else None
        if found is None:
            found, detail = self.addresses.get(f"@{domain}"), ""
        if found is None and local.casefold() == "postmaster" and domain in self.domains:
            found = self.postmaster
        return self._recipient(address, found, detail)

    def _find(self, address: str) -> int | None:
        found = self.addresses.get(address)
        if found is None and (registered := self.folded.get(address.casefold())) is not None:
            found = self.addresses[registered]
        return found

    def _recipient(self, address: str, user_id: int | None, detail: str) -> Recipient:
        if user_id is None:
            raise UnknownUserError(f"no user has the address {address}")
        return Recipient(address, user_id, self.users[user_id].name, clean_detail(detail))


def _first(users: Iterable[User]) -> int | None:
    return min((user.user_id for user in users if not user.name.startswith(PROBES)), default=None)


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
