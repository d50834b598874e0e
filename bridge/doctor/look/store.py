"""The database and its disk, looked at without changing or making anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.contract import ids
from bridge.doctor.judge.store import StoreSeen
from bridge.errors import PostbellError
from bridge.store import database, offline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.settings import Settings
    from bridge.store.engine import StoreConnection

WAIT_MS: Final = 2_000
"""How long a busy database is waited for: the bridge's own transactions take milliseconds."""
STEPS: Final = 100_000
"""Of SQLite's machine, between two looks at the clock."""
BLOCK: Final = bytes(65_536)


def look(settings: Settings, *, within_s: float) -> StoreSeen:
    """The facts; the file is looked through for damage for so long at most."""
    if settings.store.url:
        return _look_there(settings.store.url)
    path = settings.database
    if not path.exists():
        return StoreSeen(str(path), missing=True)
    try:
        with closing(_connected(path)) as connection:
            return _seen(connection, settings, within_s=within_s)
    except sqlite3.Error as error:
        return StoreSeen(str(path), error=str(error))


def newest_mail_ms(place: Path | str) -> int | None:
    """When the newest mail of all came, in Unix milliseconds; None when none ever did, or nobody knows."""
    with suppress(sqlite3.Error, PostbellError), _looking(place) as connection:
        newest = connection.execute("SELECT max(last_number) FROM user").fetchone()[0]
        return ids.received_ms(newest) if newest else None
    return None


@contextmanager
def _looking(place: Path | str) -> Iterator[StoreConnection]:
    if isinstance(place, Path):
        with closing(_connected(place)) as connection:
            yield connection
    else:
        with offline.reading(place) as connection:
            yield connection


def _look_there(url: str) -> StoreSeen:
    """A database of PostgreSQL, whose files are those of another server: whether it can be reached and written."""
    from bridge.postgres import connection as connecting  # noqa: PLC0415 - psycopg, for those who have such a store
    from bridge.postgres import database as there  # noqa: PLC0415

    path, newest = connecting.shown(url), there.newest_schema()
    try:
        with closing(connecting.connect(url, name="doctor")) as connection:
            schema = there.schema(connection)
            refusal = there.refusal(connection) if schema == newest else ""
    except PostbellError as error:
        return StoreSeen(path, error=str(error), elsewhere=True)
    return StoreSeen(path, schema=schema, newest_schema=newest, refusal=refusal, elsewhere=True)


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():  # SQLite would make it
        raise sqlite3.OperationalError("no such file")
    connection = database.connect(path)
    connection.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
    return connection


def _seen(connection: sqlite3.Connection, settings: Settings, *, within_s: float) -> StoreSeen:
    path = settings.database
    if connection.execute("PRAGMA application_id").fetchone()[0] != database.APPLICATION_ID:
        return StoreSeen(str(path), ours=False)
    schema: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return StoreSeen(
        path=str(path),
        damage=damage_of(connection, within_s=within_s),
        schema=schema,
        newest_schema=len(database.migrations()),
        refusal=_refusal(connection, path.parent),
        log_bytes=_size(path.with_name(f"{path.name}-wal")),
        free_bytes=shutil.disk_usage(path).free,
        bodies_bytes=_bodies(connection),
        body_total=settings.body.total,
    )


def damage_of(connection: sqlite3.Connection, *, within_s: float) -> str | None:
    """What is damaged, "" if nothing is, None when it takes too long."""
    give_up_at = time.monotonic() + within_s
    connection.set_progress_handler(lambda: time.monotonic() > give_up_at, STEPS)
    try:
        finding: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        return str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.set_progress_handler(None, 0)
    return "" if finding == "ok" else finding


def _refusal(connection: sqlite3.Connection, directory: Path) -> str:
    """Why nothing can be written; "" when a transaction that is taken back and a file without a name both could."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("INSERT INTO discarded VALUES ('')")
        finally:
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return str(error)
    return _disk_refusal(directory)


def _disk_refusal(directory: Path) -> str:
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        unnamed = os.strerror(error.errno or 0)
        return "" if isinstance(error, IsADirectoryError) or "not supported" in unnamed else unnamed
    try:
        os.write(descriptor, BLOCK)
        os.fsync(descriptor)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(descriptor)
    return ""


def _bodies(connection: sqlite3.Connection) -> int:
    with suppress(sqlite3.Error):
        taken: int = connection.execute("SELECT coalesce(sum(size), 0) FROM body").fetchone()[0]
        return taken
    return 0


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
