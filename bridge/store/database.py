"""Opening the SQLite file: pragmas, numbered migrations, and the check that it is sound.

The file runs in WAL mode with `synchronous=FULL`: when COMMIT returns, the transaction is on disk. With
`secure_delete` what is deleted is overwritten, so that mail that was dropped cannot be read from the file.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import StoreCorruptError, StoreUnavailableError
from bridge.store import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION_ID = 0x504F5354  # "POST": tells our file from any other SQLite database
BUSY_TIMEOUT_S = 10.0
LARGEST_LOG_BYTES = 64 * 2**20
"""So much of the write-ahead log stays on disk once it has been emptied."""
OVERWRITING_SINCE = 4
"""A file of an older schema has free pages that still say what they held."""
MIGRATIONS = Path(__file__).with_name("migrations")
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_ADVICE = {
    sqlite3.SQLITE_BUSY: "; another program holds it: try again, and see what has it open",
    sqlite3.SQLITE_READONLY: "; look at its owner and mode, and whether the disk is mounted to be read only",
    sqlite3.SQLITE_FULL: "; make room",
    sqlite3.SQLITE_IOERR: "; make room, or look for what the system says of the disk",
    sqlite3.SQLITE_CANTOPEN: "; look at its owner and mode, and those of its directory",
}
_OF_ONE_OPERATION = {
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}


def connect(path: Path) -> sqlite3.Connection:
    """A connection for reading and writing, for use by one thread; the schema must be there."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA secure_delete = ON").fetchone()
    connection.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG_BYTES}").fetchone()
    return connection


@dataclass(frozen=True, slots=True)
class Migration:
    """A database became newer: from which schema, to which, and where it is kept as it was before, if it is."""

    from_schema: int
    to_schema: int
    kept_as: Path | None


def prepare(
    path: Path,
    *,
    check: bool = False,
    keep: bool = True,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Migration | None:
    """Create or migrate the database file where that is needed, and refuse a foreign one; what was migrated.

    A copy is made before a migration, unless it is one already (`keep`). `check` looks through the whole file for
    damage; that takes about half a second for each GB. Raises StoreCorruptError with what to do,
    StoreUnavailableError when it cannot be opened or there is no room for the copy; then it is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = connect(path)
        try:
            require_ours(connection, path)
            if check:
                require_sound(connection, path)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()  # a restored backup may be in another
            return _migrate(connection, path, now_ms if keep else None)
        finally:
            connection.close()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CANTOPEN:
            raise StoreUnavailableError(f"{path}: {error}; {_ask_who(path)}") from error
        raise translate(error, path) from error
    except OSError as error:
        raise StoreUnavailableError(f"{path}: {error.strerror}; {_ask_who(path)}") from error


def _ask_who(path: Path) -> str:
    """What to look at when a file cannot be made: the nearest directory that is there, for it is what refuses."""
    refusing = next(place for place in path.absolute().parents if os.path.lexists(place))
    return f"check owner and mode of {refusing}, or run this as the user that Postbell runs as"


def translate(error: sqlite3.Error, path: Path) -> StoreCorruptError | StoreUnavailableError:
    """The typed error for what SQLite reported."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _CORRUPT:
        return StoreCorruptError(recovery(path, str(error)))
    return StoreUnavailableError(f"{path}: {error}{_ADVICE.get(code, '')}")


def concerns_file(error: sqlite3.Error) -> bool:
    """Whether the file, the disk or the connection is to blame, rather than the statement that met the error."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF not in _OF_ONE_OPERATION


def recovery(path: Path, finding: str) -> str:
    """What the operator is told about a damaged database."""
    return (
        f"{path}: the database is damaged ({finding}). Stop Postbell, then restore a backup, or save what can be read "
        "into a new file with: postbell salvage. Meanwhile no mail is taken, so the senders keep it."
    )


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreCorruptError for a file of another program."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise StoreCorruptError(f"{path}: this SQLite file is not Postbell's; set another state_dir or move it away")


def require_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Look through the whole file, as the connection sees it; raises StoreCorruptError."""
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise StoreCorruptError(recovery(path, finding))


def migrations() -> list[str]:
    """The scripts that make the newest schema out of nothing, in their order."""
    return [script.read_text(encoding="utf-8") for script in _scripts()]


def _scripts() -> list[Path]:
    return sorted(MIGRATIONS.glob("*.sql"))


def _migrate(connection: sqlite3.Connection, path: Path, now_ms: Callable[[], int] | None) -> Migration | None:
    """Run the migrations that are missing; writes nothing when there are none. Without `now_ms` no copy is made."""
    steps = migrations()
    if _schema_version(connection, path, newest=len(steps)) == len(steps):
        return None
    path.chmod(0o600)
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
    migration = None
    connection.execute("BEGIN IMMEDIATE")  # from here on nobody writes, so the copy is what is migrated
    try:
        done = _schema_version(connection, path, newest=len(steps))
        if 0 < done < len(steps):
            migration = Migration(done, len(steps), None if now_ms is None else _keep(path, done, now_ms()))
        for step in steps[done:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if migration is not None and migration.kept_as is not None:
            migration.kept_as.unlink(missing_ok=True)  # it is tried again at each start, and each makes one
        raise
    if migration is not None and migration.from_schema < OVERWRITING_SINCE:
        with suppress(sqlite3.Error):  # no room to write it anew: the pages are overwritten as they are used
            connection.execute("VACUUM")
    return migration


def _keep(path: Path, schema: int, now_ms: int) -> Path:
    from bridge.store import copies  # noqa: PLC0415 - before a migration alone

    with closing(connect(path)) as before:
        snapshot.begin(before)
        return copies.make(path, before, schema=schema, now_ms=now_ms)


def newest_schema() -> int:
    """The schema of this version."""
    return len(_scripts())


def schema(path: Path) -> int | None:
    """The schema of a database; None when there is none. Makes nothing; raises store errors."""
    if not path.exists():
        return None
    try:
        with closing(connect(path)) as connection:
            require_ours(connection, path)
            return _schema_version(connection, path, newest=newest_schema())
    except sqlite3.Error as error:
        raise translate(error, path) from error


def require_newest(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreUnavailableError for an older schema, and StoreCorruptError for a newer one or another program's."""
    require_ours(connection, path)
    newest = newest_schema()
    done = _schema_version(connection, path, newest=newest)
    if done < newest:
        raise StoreUnavailableError(
            f"{path}: this database is of an older Postbell (schema {done}, now {newest}); it is made newer when the "
            "bridge starts, as with: sudo systemctl restart postbell"
        )


def _schema_version(connection: sqlite3.Connection, path: Path, *, newest: int) -> int:
    done: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > newest:
        raise StoreCorruptError(f"{path}: this database is of a newer Postbell (schema {done}); run that version")
    return done


def _statements(script: str) -> list[str]:
    statements, current = [], ""
    for line in script.splitlines():
        current += line.split("--")[0] + "\n"
        if sqlite3.complete_statement(current):
            statements.append(current.strip())
            current = ""
    return [statement for statement in statements if statement != ";"]
