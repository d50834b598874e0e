"""Logins: read from the store's table, followed as it changes, checked without stopping the loop.

The table belongs to the bridge; it is opened read-only and asked after each commit, at most five times a second,
whether anything changed, and once more before anybody is refused: a login works as soon as it was added. Most
commits are mail, so the row `revision` that grows with every change of a login is asked before the table. A
generated password (at least 128 random bits) is checked by one SHA-256; one that a person chose costs
argon2, which runs in a thread, two at a time, and is remembered once it was right, so that a reconnect
storm costs each password once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import re
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from pwdlib.hashers.argon2 import Argon2Hasher

from broker.acl import Identity, Role
from broker.commits import TableWatch
from broker.errors import LoginsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_POLL_S = 0.2  # between two looks; a change must take effect within a second
_DUTY = 10  # a look is followed by a pause this many times as long, however many ask for the next one
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5
_REMEMBERED = 4096
_DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\.[a-z0-9][a-z0-9_-]{0,31}")
_HASHERS = 2  # argon2 takes 64 MB each

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
    """The table as last read. Pure.

    A device whose name is not `<user>.<device>` is left out, whoever wrote it: its name becomes part
    of the filters it is granted, and a wildcard in it would grant too much.
    """

    def __init__(self, rows: list[Row]) -> None:
        self._logins: dict[str, list[Credential]] = {}
        self._identities: dict[tuple[str, bytes], Identity] = {}
        self._heirs: dict[tuple[str, bytes], bytes] = {}
        for username, label, role, salt, digest, former in rows:
            if role == Role.DEVICE and not _DEVICE.fullmatch(username):
                continue
            credential = Credential(label, Role(role), salt, digest, former)
            self._logins.setdefault(username, []).append(credential)
            self._identities[username, credential.fingerprint] = Identity(username, credential.role)
            for replaced in credential.replaced:
                self._heirs[username, replaced] = credential.fingerprint

    def __len__(self) -> int:
        return len(self._logins)

    def identities(self) -> list[Identity]:
        """Everybody who can log in, once each."""
        return [Identity(username, ways[0].role) for username, ways in self._logins.items()]

    def credentials(self, username: str) -> list[Credential]:
        """All ways in for a username; none when it does not exist."""
        return self._logins.get(username, [])

    def find(self, username: str, fingerprint: bytes) -> Identity | None:
        """Whose credential this is, or None when it was revoked."""
        return self._identities.get((username, fingerprint))

    def heir(self, username: str, fingerprint: bytes) -> bytes:
        """The credential that has the sessions of this one: itself, unless its password was replaced."""
        return self._heirs.get((username, fingerprint), fingerprint)


class LoginReader:
    """The read-only side of the bridge's database. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._inode = 0
        self._version: int | None = None
        self._revision: int | None = None
        self._rows: list[Row] | None = None

    def read(self) -> LoginTable | None:
        """The table when it changed since the last call, else None. Raises sqlite3.Error and OSError."""
        inode = self._path.stat().st_ino
        if self._database is None or inode != self._inode:
            self.close()
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=0.5)
            self._inode, self._version, self._revision = inode, None, None
        version = self._database.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return None
        revision = self._database.execute("SELECT value FROM revision WHERE name = 'logins'").fetchone()[0]
        if revision == self._revision:
            self._version = version
            return None
        rows: list[Row] = self._database.execute(
            "SELECT username, label, role, salt, hash, former FROM login "
            "WHERE role IN ('device', 'bridge', 'admin') ORDER BY username, label"
        ).fetchall()
        self._version, self._revision = version, revision
        if rows == self._rows:
            return None
        self._rows = rows
        return LoginTable(rows)

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None


class Logins:
    """Checks passwords against the newest table. `on_change` is told each table that is new, the first as well.

    The file of the table lies in `place`, which is watched; without it the table is looked at each `poll_s` seconds.
    """

    def __init__(
        self,
        reader: LoginReader,
        *,
        on_change: Callable[[LoginTable], None],
        place: Path | None = None,
        poll_s: float = _POLL_S,
    ) -> None:
        self.table: LoginTable | None = None
        self._on_change = on_change
        self._reader = reader
        self._place = place
        self._poll_s = poll_s
        self._wanted = asyncio.Event()
        self._next_look = asyncio.Event()  # set when the look that has not begun yet has ended
        self._log = structlog.get_logger()
        self._pepper = os.urandom(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._hashers = asyncio.Semaphore(_HASHERS)
        self._argon2 = Argon2Hasher()
        self._trouble = ""

    async def follow(self) -> None:
        """Keep the table fresh until cancelled. Trouble with the file is logged once; the last table stays."""
        loop = asyncio.get_running_loop()
        watch = None if self._place is None else TableWatch(self._place, told=self._wanted.set)
        with contextlib.ExitStack() as stack:
            if watch is not None:
                stack.callback(watch.close)
            await self._follow(loop, watch)

    async def _follow(self, loop: asyncio.AbstractEventLoop, watch: TableWatch | None) -> None:
        while True:
            begun_at = loop.time()
            self._wanted.clear()
            this_look, self._next_look = self._next_look, asyncio.Event()
            await self.refresh()
            this_look.set()
            pause_s = max(_SHORTEST_PAUSE_S, min(_DUTY * (loop.time() - begun_at), _LONGEST_PAUSE_S))
            await asyncio.sleep(pause_s)
            enough_s = watch.arm_s() if watch else 0.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(enough_s or self._poll_s - pause_s):
                    await self._wanted.wait()

    async def refresh(self) -> None:
        """Look once whether the table changed."""
        try:
            table = await asyncio.to_thread(self._reader.read)
        except (sqlite3.Error, OSError) as error:
            if str(error) != self._trouble:
                self._log.warning("logins_unavailable", error=str(error))
            self._trouble = str(error)
            return
        self._trouble = ""
        if table is not None:
            self.table = table
            self._known.clear()
            self._log.info("logins_read", logins=len(table))
            self._on_change(table)

    async def check(self, username: str, password: str, *, barred: bool) -> Grant | None:
        """The grant for a right password, None for a wrong one. Raises LoginsUnavailableError.

        From a `barred` address no new argon2 check is made: guessing what a person chose ends here,
        while devices behind the same address, whose passwords nobody guesses, still get in.
        """
        tried = self._credentials(username)
        grant = await self._grant(tried, username, password, barred=barred)
        if grant is None:
            await self._look_again()
            newest = self._credentials(username)
            if newest != tried:
                grant = await self._grant(newest, username, password, barred=barred)
        if self.table is None:
            raise LoginsUnavailableError("the table of logins has not been read yet")
        return grant

    def stands(self, grant: Grant) -> bool:
        """Whether a grant of before is still one."""
        return self.table is not None and self.table.find(grant.who.username, grant.credential) == grant.who

    async def _look_again(self) -> None:
        """Wait for a look that begins after this call. All who wait share it; `follow` must be running."""
        self._wanted.set()
        await self._next_look.wait()

    def _credentials(self, username: str) -> list[Credential]:
        return [] if self.table is None else self.table.credentials(username)

    async def _grant(self, ways: list[Credential], username: str, password: str, *, barred: bool) -> Grant | None:
        for credential in ways:
            if await self._matches(credential, username, password, barred=barred):
                # It may have been revoked meanwhile.
                who = self.table.find(username, credential.fingerprint) if self.table else None
                return Grant(who, credential.fingerprint) if who else None
        return None

    async def _matches(self, credential: Credential, username: str, password: str, *, barred: bool) -> bool:
        if credential.salt is not None:
            digest = hashlib.sha256(credential.salt + password.encode()).digest()
            return hmac.compare_digest(digest, credential.digest)
        parts = (username.encode(), credential.digest, password.encode())
        key = hashlib.blake2b(b"\0".join(parts), key=self._pepper, digest_size=32).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return True
        if barred:
            return False
        async with self._hashers:
            right = await asyncio.to_thread(self._argon2.verify, password, credential.digest)
        if right:
            self._known[key] = None
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return right
