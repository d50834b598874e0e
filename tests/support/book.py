"""Users and addresses in memory: an address book, and the directory that intake and requests ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import directory
from bridge.directory import PROBES, User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.model import Recipient


class Book:
    """These users and `(address, user_id)` pairs. Counts what it is asked."""

    def __init__(self, users: Iterable[User] = (), addresses: Iterable[tuple[str, int]] = ()) -> None:
        self._users = {user.user_id: user for user in users}
        self._addresses = dict(sorted(addresses))
        self.asked = 0

    def owner(self, address: str) -> User | None:
        self.asked += 1
        return self._users.get(self._addresses.get(address, -1))

    def alike(self, address: str) -> User | None:
        return self._first(lambda each: each.casefold() == address.casefold())

    def has_domain(self, domain: str) -> bool:
        return self._first(lambda each: each.rpartition("@")[2] == domain) is not None

    def postmaster(self) -> User | None:
        named = self._first(lambda each: each.rpartition("@")[0].casefold() == "postmaster")
        people = [user for _, user in sorted(self._users.items()) if not user.name.startswith(PROBES)]
        return named or next(iter(people), None)

    def _first(self, wanted) -> User | None:
        self.asked += 1
        return next((self._users[user] for address, user in self._addresses.items() if wanted(address)), None)

    # --- as the directory ----------------------------------------------------------------------------------

    def known(self, address: str) -> Recipient | None:
        """Nobody is known at once."""

    async def resolve(self, address: str) -> Recipient:
        return directory.resolve(address, self)

    async def named(self, name: str) -> User | None:
        return next((user for user in self._users.values() if user.name == name), None)
