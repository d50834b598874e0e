"""Who may log in: looked up in the bridge's table as they come, followed as it changes, checked beside the loop.

The table belongs to the bridge. A login is looked up when its device comes, and kept in mind for the next time; the
table is asked after each commit, at most five times a second, whose logins changed, and those alone are read
(loginreader.py). Before anybody is refused the login is looked up anew: one works as soon as it was added. A
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
import sqlite3
from collections import OrderedDict
from typing import TYPE_CHECKING

import structlog
from pwdlib.hashers.argon2 import Argon2Hasher

from broker.commits import TableWatch
from broker.credentials import Grant, identity
from broker.errors import LoginsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from broker.credentials import Credential, LoginTable
    from broker.loginreader import LoginNews, LoginReader

_POLL_S = 0.2  # between two looks; a change must take effect within a second
_DUTY = 10  # a look is followed by a pause this many times as long, however many ask for the next one
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5
_REMEMBERED = 4096  # passwords that a person chose, and were right
_KEPT = 16_384  # usernames whose logins are kept in mind
_HASHERS = 2  # argon2 takes 64 MB each


class Logins:
    """Checks passwords.

    `concerned` gives those who have something here that ends with their login. `on_change` is told the logins that
    changed; the first time, and whenever anything may have changed, those of all who are concerned.
    The file of the table lies in `place`, which is watched; without it the table is looked at each `poll_s` seconds.
    """

    def __init__(
        self,
        reader: LoginReader,
        *,
        on_change: Callable[[LoginTable], None],
        concerned: Callable[[], Iterable[str]] = tuple,
        place: Path | None = None,
        poll_s: float = _POLL_S,
    ) -> None:
        self._on_change = on_change
        self._concerned = concerned
        self._reader = reader
        self._place = place
        self._poll_s = poll_s
        self._wanted = asyncio.Event()
        self._log = structlog.get_logger()
        self._revision = -1
        self._begun = False
        self._one_look = asyncio.Lock()
        self._kept: OrderedDict[str, list[Credential]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[list[Credential]]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._pepper = os.urandom(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._hashers = asyncio.Semaphore(_HASHERS)
        self._argon2 = Argon2Hasher()
        self._trouble = ""

    # --- what changes --------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Notice changes until cancelled. Trouble with the file is logged once; what is kept in mind stays."""
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
            await self.refresh()
            pause_s = max(_SHORTEST_PAUSE_S, min(_DUTY * (loop.time() - begun_at), _LONGEST_PAUSE_S))
            await asyncio.sleep(pause_s)
            enough_s = watch.arm_s() if watch else 0.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(enough_s or self._poll_s - pause_s):
                    await self._wanted.wait()

    async def refresh(self) -> None:
        """Look once whether the table changed."""
        async with self._one_look:
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            news = await asyncio.to_thread(self._reader.news)
            table = None if news is None else await self._changed(news)
        except (sqlite3.Error, OSError) as error:
            self._unavailable(error)
            return
        self._trouble = ""
        if table is None:
            return
        for username in table.asked:
            if username in self._kept:
                self._kept[username] = table.credentials(username)
        self._log.info("logins_read", logins=len(table))
        self._on_change(table)
        self._begun = True

    async def _changed(self, news: LoginNews) -> LoginTable:
        """The logins that changed, with those of whom nobody has noted it."""
        self._revision = news.revision  # who comes while this is awaited is looked up at this one or a later
        if news.table is not None and not news.removed:
            return news.table
        here = self._kept.keys() | frozenset(self._concerned())
        try:
            if news.table is not None:
                return news.table.without(await asyncio.to_thread(self._reader.gone, here))
            self._kept.clear()
            return (await asyncio.to_thread(self._reader.read, here))[1]
        except BaseException:
            self._reader.doubt()  # what was noted has been taken, and did not arrive
            raise

    def _unavailable(self, error: Exception) -> None:
        if str(error) != self._trouble:
            self._log.warning("logins_unavailable", error=str(error))
        self._trouble = str(error)

    # --- who comes -----------------------------------------------------------------------------------------

    async def check(self, username: str, password: str, *, barred: bool) -> Grant | None:
        """The grant for a right password, None for a wrong one. Raises LoginsUnavailableError.

        From a `barred` address no new argon2 check is made: guessing what a person chose ends here,
        while devices behind the same address, whose passwords nobody guesses, still get in.
        """
        if not self._begun:  # nobody gets in before those who are concerned were told of
            await self.refresh()
            if not self._begun:
                raise LoginsUnavailableError("the table of logins has not been read yet")
        tried = self._kept.get(username)
        grant = None
        if tried:
            self._kept.move_to_end(username)
            grant = await self._grant(tried, username, password, barred=barred)
        if grant is None:
            newest = await self._look_up(username)
            if newest != tried:
                grant = await self._grant(newest, username, password, barred=barred)
        return grant

    def stands(self, grant: Grant) -> bool:
        """Whether a grant of before is still one."""
        username = grant.who.username
        return identity(username, self._kept.get(username, ()), grant.credential) == grant.who

    async def _look_up(self, username: str) -> list[Credential]:
        """The ways in as they are now; raises LoginsUnavailableError. Those who wait are looked up together."""
        future = self._asked.get(username)
        if future is None:
            future = self._asked[username] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read(), name="look-up-logins")
        return await asyncio.shield(future)

    async def _read(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                revision, table = await asyncio.to_thread(self._reader.read, asked.keys())
                while revision < self._revision:  # a change was noticed meanwhile
                    revision, table = await asyncio.to_thread(self._reader.read, asked.keys())
            except (sqlite3.Error, OSError) as error:
                self._unavailable(error)
                for future in asked.values():
                    future.set_exception(LoginsUnavailableError("the table of logins cannot be read"))
                    future.exception()  # whoever asked may be gone
                continue
            self._keep(table)
            for username, future in asked.items():
                future.set_result(table.credentials(username))
        self._reading = None

    def _keep(self, table: LoginTable) -> None:
        """Keep logins in mind; of those who have none nothing is, or strangers would drive out the others."""
        for username in table.asked:
            self._kept.pop(username, None)
            if ways := table.credentials(username):
                self._kept[username] = ways
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _grant(self, ways: Collection[Credential], username: str, password: str, *, barred: bool) -> Grant | None:
        for credential in ways:
            if await self._matches(credential, username, password, barred=barred):
                # It may have been revoked meanwhile.
                who = identity(username, self._kept.get(username, ()), credential.fingerprint)
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
