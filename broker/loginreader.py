"""The bridge's table of logins, opened read-only: who changed since the last look, and the logins of some.

Never all of them: however many people there are, a look costs what changed. The bridge's database notes the last
changes by username (`changed_login`), each under its own revision, so that one that is missing is noticed.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.credentials import LoginTable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

REVISION = "SELECT value FROM revision WHERE name = 'logins'"
CHANGED = "SELECT username FROM changed_login WHERE revision > ? AND revision <= ?"
LOGINS = (
    "SELECT username, label, role, salt, hash, former, cell FROM login"
    " WHERE username IN (SELECT value FROM json_each(?)) AND role IN ('device', 'bridge', 'admin')"
    " ORDER BY username, label"
)


GONE = "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM login WHERE username = value AND cell = 0)"


@dataclass(frozen=True, slots=True)
class LoginNews:
    """The logins as of a revision that changed since the look before; None where anything may have.

    With `removed` there are others that are gone, whose names nobody has noted.
    """

    revision: int
    table: LoginTable | None
    removed: bool = False


class LoginReader:
    """The read-only side of the bridge's database, for any thread. All raises sqlite3.Error and OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._inode = 0
        self._version: int | None = None
        self._revision: int | None = None

    def news(self) -> LoginNews | None:
        """What changed since the last call, or None when nothing did. The first time anything may have."""
        with self._lock:
            database = self._open()
            version = database.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return None
            database.execute("BEGIN")  # one moment for all that is read
            try:
                news = self._changes(database)
            finally:
                database.execute("ROLLBACK")
            self._version = version
            return news

    def read(self, usernames: Collection[str]) -> tuple[int, LoginTable]:
        """The logins of these, and as of which revision."""
        with self._lock:
            database = self._open()
            database.execute("BEGIN")
            try:
                return _revision(database), _logins(database, usernames)
            finally:
                database.execute("ROLLBACK")

    def gone(self, usernames: Collection[str]) -> frozenset[str]:
        """Which of these have no login now."""
        with self._lock:
            found = self._open().execute(GONE, (json.dumps(list(usernames)),))
            return frozenset(username for (username,) in found)

    def doubt(self) -> None:
        """Have anything taken for changed by the next look."""
        with self._lock:
            self._version = self._revision = None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._close()

    def _changes(self, database: sqlite3.Connection) -> LoginNews | None:
        before, now = self._revision, _revision(database)
        if before == now:
            return None
        self._revision = now
        if before is not None:
            changed = [username for (username,) in database.execute(CHANGED, (before, now))]
            if len(changed) == now - before:
                return LoginNews(now, _logins(database, {name for name in changed if name}), removed="" in changed)
        return LoginNews(now, None)

    def _open(self) -> sqlite3.Connection:
        inode = self._path.stat().st_ino
        if self._database is None or inode != self._inode:
            self._close()
            uri = f"{self._path.resolve().as_uri()}?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=0.5, isolation_level=None)
            self._inode, self._version, self._revision = inode, None, None
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _revision(database: sqlite3.Connection) -> int:
    revision: int = database.execute(REVISION).fetchone()[0]
    return revision


def _logins(database: sqlite3.Connection, usernames: Collection[str]) -> LoginTable:
    rows = database.execute(LOGINS, (json.dumps(list(usernames)),)).fetchall()
    moved = {username for username, *_, cell in rows if cell}  # to another broker, which lets them in
    return LoginTable([row[:-1] for row in rows if not row[-1]], asked=usernames, moved=moved)
