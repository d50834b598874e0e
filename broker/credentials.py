"""Logins as they were read: the ways in of a few usernames, and who may come by each. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.acl import Identity, Role

if TYPE_CHECKING:
    from collections.abc import Collection

_DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\.[a-z0-9][a-z0-9_-]{0,31}")
_DIGEST = 32  # bytes of a generated password's hash

Row = tuple[str, str, str, bytes | None, bytes, bytes]
"""Username, label, role, salt, hash, and the hashes that this one replaced, one behind the other."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One way in: a label's password hash. `salt` is None when `digest` is an argon2 string."""

    label: str
    role: Role
    salt: bytes | None
    digest: bytes
    former: bytes = b""

    @property
    def fingerprint(self) -> bytes:
        """Tells this credential from any other, without telling the hash."""
        return self._print(self.digest)

    @property
    def replaced(self) -> list[bytes]:
        """The fingerprints of the passwords that this one came in the place of."""
        return [self._print(self.former[at : at + _DIGEST]) for at in range(0, len(self.former), _DIGEST)]

    def _print(self, digest: bytes) -> bytes:
        return hashlib.sha256(b"\0".join((self.label.encode(), self.role.encode(), digest))).digest()[:16]


@dataclass(frozen=True, slots=True)
class Grant:
    """A right password: who it is and by which credential."""

    who: Identity
    credential: bytes


class LoginTable:
    """The logins of some usernames, `asked`, at one moment. Who of them is not in it has no login.

    Of those some have `moved`: another broker lets them in.

    A device whose name is not `<user>.<device>` is left out, whoever wrote it: its name becomes part
    of the filters it is granted, and a wildcard in it would grant too much.
    """

    def __init__(
        self, rows: Collection[Row], *, asked: Collection[str] | None = None, moved: Collection[str] = ()
    ) -> None:
        self._logins: dict[str, list[Credential]] = {}
        for username, label, role, salt, digest, former in rows:
            if role != Role.DEVICE or _DEVICE.fullmatch(username):
                self._logins.setdefault(username, []).append(Credential(label, Role(role), salt, digest, former))
        self.asked = frozenset(self._logins if asked is None else asked)
        self.moved = frozenset(moved)

    def without(self, gone: Collection[str]) -> LoginTable:
        """The same, and these were asked for as well and have no login."""
        table = LoginTable(())
        table._logins = {name: ways for name, ways in self._logins.items() if name not in gone}
        table.asked = self.asked.union(gone)
        table.moved = self.moved
        return table

    def __len__(self) -> int:
        return len(self._logins)

    @property
    def gone(self) -> frozenset[str]:
        """Who was asked for and has no login."""
        return self.asked - self._logins.keys()

    def credentials(self, username: str) -> list[Credential]:
        """All ways in for a username; none when it does not exist."""
        return self._logins.get(username, [])

    def find(self, username: str, fingerprint: bytes) -> Identity | None:
        """Whose credential this is, or None when it was revoked."""
        return identity(username, self.credentials(username), fingerprint)

    def heir(self, username: str, fingerprint: bytes) -> bytes:
        """The credential that has the sessions of this one: itself, unless its password was replaced."""
        for credential in self.credentials(username):
            if fingerprint in credential.replaced:
                return credential.fingerprint
        return fingerprint


def identity(username: str, ways: Collection[Credential], fingerprint: bytes) -> Identity | None:
    """Who comes by the credential with this fingerprint, or None when it is none of these."""
    return next((Identity(username, way.role) for way in ways if way.fingerprint == fingerprint), None)
