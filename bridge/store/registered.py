"""Who is registered, looked up in the database: users by address and by name, never all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bridge import directory
from bridge.directory import PROBES, User
from bridge.store import people

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bridge.model import Recipient
    from bridge.store.engine import StoreConnection


T = TypeVar("T")

OWNER = "SELECT u.user_id, u.name FROM address a CROSS JOIN user u USING (user_id) WHERE a.address = ?"
ALIKE = """
SELECT u.user_id, u.name FROM address a INDEXED BY address_folded CROSS JOIN user u USING (user_id)
WHERE a.folded = ? ORDER BY a.address LIMIT 1
"""
OF_DOMAIN = """
SELECT 1 FROM address INDEXED BY address_domain
WHERE substr(address, length(rtrim(address, replace(address, '@', ''))) + 1) = ? LIMIT 1
"""
POSTMASTER = """
SELECT u.user_id, u.name FROM address a INDEXED BY address_folded CROSS JOIN user u USING (user_id)
WHERE a.folded >= 'postmaster@' AND a.folded < 'postmasterA' ORDER BY a.address LIMIT 1
"""
FIRST = "SELECT user_id, name FROM user WHERE substr(name, 1, CAST(? AS INTEGER)) <> ? ORDER BY user_id LIMIT 1"
NAMED = "SELECT user_id, name, cell FROM user WHERE name = ?"
NAMES = "SELECT name, live FROM user WHERE name > ? ORDER BY name LIMIT ?"
NAMES_OF = """
SELECT name, live FROM user WHERE name > ? AND user_id % 64 IN (SELECT value FROM json_each(?)) ORDER BY name LIMIT ?
"""
NAMES_AT = "SELECT name, live FROM user INDEXED BY user_cell WHERE cell = ? AND name > ? ORDER BY name LIMIT ?"
NAMES_AT_OF = """
SELECT name, live FROM user INDEXED BY user_cell WHERE cell = ? AND name > ?
    AND user_id % 64 IN (SELECT value FROM json_each(?)) ORDER BY name LIMIT ?
"""
STRANGERS = "SELECT CAST(value AS TEXT) FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM user WHERE name = value)"
STRANGERS_AT = """
SELECT CAST(value AS TEXT) FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM user WHERE name = value AND cell = ?2)
    AND NOT EXISTS (SELECT 1 FROM leaving WHERE leaving.cell = ?2 AND name = value)
"""


class StoredBook:
    """The users of a database, as an address book (`bridge.directory.AddressBook`)."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    def owner(self, address: str) -> User | None:
        """Who has this address."""
        return self._one(OWNER, address)

    def alike(self, address: str) -> User | None:
        """Who has one that differs in case alone."""
        return self._one(ALIKE, address.casefold())

    def has_domain(self, domain: str) -> bool:
        """Whether anybody has an address of this domain."""
        return self._connection.execute(OF_DOMAIN, (domain,)).fetchone() is not None

    def postmaster(self) -> User | None:
        """Who registered it for any domain, else the first user."""
        return self._one(POSTMASTER) or self._one(FIRST, len(PROBES), PROBES)

    def named(self, name: str) -> User | None:
        """The user of that name."""
        return self._one(NAMED, name)

    def _one(self, query: str, *values: object) -> User | None:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else User(*row)


@dataclass(frozen=True, slots=True)
class AsOf(Generic[T]):
    """What was found, and the revision of people that it is surely not older than."""

    revision: int
    found: T


def resolve(connection: StoreConnection, address: str) -> AsOf[Recipient]:
    """Whose address this is; raises UnknownUserError or MalformedAddressError."""
    revision = people.revision(connection)
    return AsOf(revision, directory.resolve(address, StoredBook(connection)))


def named(connection: StoreConnection, name: str) -> AsOf[User | None]:
    """The user of that name, or None."""
    revision = people.revision(connection)
    return AsOf(revision, StoredBook(connection).named(name))


def names(
    connection: StoreConnection,
    *,
    after: str,
    limit: int,
    live: int,
    each: int = 0,
    cell: int | None = None,
    shards: Collection[int] | None = None,
) -> list[str]:
    """Some names of users, in their order, behind this one: the first, and more up to a limit.

    They have so many `live` messages together, where each counts for some more. They are of users at one cell, or of
    all; and of some `shards`, if these are given (`bridge/shards/plan.py`).
    """
    where: tuple[object, ...] = (after,) if cell is None else (cell, after)
    if shards is None:
        query = NAMES if cell is None else NAMES_AT
    else:
        query = NAMES_OF if cell is None else NAMES_AT_OF
        where = (*where, json.dumps(list(shards)))
    return few(connection.execute(query, (*where, limit)), live=live, each=each)


def few(rows: Iterable[tuple[str, int]], *, live: int, each: int) -> list[str]:
    """The first of these names and their live messages, and more while all together have no more than so many."""
    found: list[str] = []
    together = 0
    for name, its_own in rows:
        together += its_own + each
        if found and together > live:
            break
        found.append(name)
    return found


def strangers(connection: StoreConnection, some: Collection[str], *, cell: int | None = None) -> list[str]:
    """Those of these names that no user has, or none at a cell; nor one who has left it and whose topics wait."""
    if cell is not None:
        found = connection.execute(STRANGERS_AT, (json.dumps(list(some)), cell)).fetchall()
        return sorted(name for (name,) in found)
    return sorted(name for (name,) in connection.execute(STRANGERS, (json.dumps(list(some)),)))
