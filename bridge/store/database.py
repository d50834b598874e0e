"""Opening the SQLite file: pragmas, numbered migrations, and the check that it is sound.

The file runs in WAL mode with `synchronous=FULL`: when COMMIT returns, the transaction is on disk.
"""

from __future__ import annotations

import os
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from bridge.errors import StoreCorruptError, StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x504F5354  # "POST": tells our file from any other SQLite database
BUSY_TIMEOUT_S = 10.0
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
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
    return connection


def prepare(path: Path, *, check: bool = False) -> None:
    """Create or migrate the database file where that is needed, and refuse a foreign one.

    `check` looks through the whole file for damage; that takes about half a second for each GB.
    Raises StoreCorruptError with what to do, StoreUnavailableError when it cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = connect(path)
        try:
            _require_ours(connection, path)
            if check:
                _check(connection, path)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()  # a restored backup may be in another
            _migrate(connection, path)
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
    return StoreUnavailableError(f"{path}: {error}")


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


def _require_ours(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise StoreCorruptError(f"{path}: this SQLite file is not Postbell's; set another state_dir or move it away")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise StoreCorruptError(recovery(path, finding))


def migrations() -> list[str]:
    """The scripts that make the newest schema out of nothing, in their order."""
    scripts = (entry for entry in resources.files("bridge.store.migrations").iterdir() if entry.name.endswith(".sql"))
    return [entry.read_text(encoding="utf-8") for entry in sorted(scripts, key=lambda entry: entry.name)]


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Run the migrations that are missing; writes nothing when there are none."""
    steps = migrations()
    if _schema_version(connection, path, newest=len(steps)) == len(steps):
        return
    path.chmod(0o600)
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = _schema_version(connection, path, newest=len(steps))
        for step in steps[done:]:
            for statement in _statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


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
