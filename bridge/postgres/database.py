"""The schema of PostgreSQL: how it gets there, and what an error of the database means for whoever asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors

from bridge.errors import StoreContendedError, StoreCorruptError, StoreUnavailableError
from bridge.postgres import connection as connecting

if TYPE_CHECKING:
    from bridge.postgres.connection import PostgresConnection

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 0x504F5354
"""Of all bridges that start at once one changes the schema; the others wait, and find it done."""
NEEDED_S = 3600.0
"""A migration may take its time."""
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
_OF_ONE_OPERATION = (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError)


def migrations() -> list[str]:
    """The scripts that make the newest schema out of nothing, in their order."""
    return [script.read_text(encoding="utf-8") for script in sorted(MIGRATIONS.glob("*.sql"))]


def prepare(url: str, *, only_new: bool = False) -> tuple[int, int]:
    """Make or migrate the schema where that is needed; from which to which. Writes nothing when it is the newest.

    With `only_new` one that is there stays as it is.

    Raises StoreUnavailableError, and StoreCorruptError for a database of a newer Postbell; then it is as it was.
    """
    connection = connecting.connect(url, name="migration", patience_s=NEEDED_S)
    try:
        steps = migrations()
        done = _version(connection)
        if done == len(steps) or (done and only_new):
            return done, done
        _require_fit(connection)
        connection.begin()
        connection.execute("SET LOCAL lock_timeout = 0")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL)")
        done = _version(connection)
        for number, step in enumerate(steps[done:], done + 1):
            connection.raw.execute(step.encode())
            connection.execute("INSERT INTO schema_version VALUES (?)", (number,))
        connection.commit()
    except psycopg.Error as error:
        raise translate(error, url) from error
    else:
        return done, len(steps)
    finally:
        connection.close()


def newest_schema() -> int:
    """The schema of this version."""
    return len(list(MIGRATIONS.glob("*.sql")))


def require_newest(connection: PostgresConnection, url: str) -> None:
    """Raises StoreUnavailableError for an older schema or none, and StoreCorruptError for a newer one."""
    done, newest = _version(connection), newest_schema()
    if done < newest:
        where, old = connecting.shown(url), f"of an older Postbell (schema {done}, now {newest})"
        what = f"{old}; the bridge makes it newer" if done else "empty; the bridge makes its tables"
        raise StoreUnavailableError(f"{where}: this database is {what} when it starts")


def schema(connection: PostgresConnection) -> int:
    """The schema that is there; 0 for none. Raises StoreCorruptError for a newer one, StoreUnavailableError."""
    try:
        return _version(connection)
    except psycopg.Error as error:
        raise StoreUnavailableError(str(error)) from error


def refusal(connection: PostgresConnection) -> str:
    """Why nothing can be written, by a transaction that is taken back; empty where it can."""
    try:
        connection.begin()
        try:
            connection.execute("INSERT INTO upload VALUES ('', 0)")
        finally:
            connection.rollback()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return ""


def _version(connection: PostgresConnection) -> int:
    if connection.execute("SELECT to_regclass('schema_version')").fetchone() == (None,):
        return 0
    done: int = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()[0]  # type: ignore[index]
    if done > newest_schema():
        raise StoreCorruptError(f"postgresql: this database is of a newer Postbell (schema {done}); run that version")
    return done


def _require_fit(connection: PostgresConnection) -> None:
    encoding = connection.execute("SHOW server_encoding").fetchone()
    if encoding != ("UTF8",):
        raise StoreUnavailableError("postgresql: the database is not in UTF-8; make one: createdb --encoding=UTF8 NAME")


def translate(error: psycopg.Error, url: str) -> StoreUnavailableError:
    """The typed error for what PostgreSQL or the way there reported."""
    kind = StoreContendedError if again(error) else StoreUnavailableError
    return kind(f"{connecting.shown(url)}: {' '.join(str(error).split()) or type(error).__name__}")


def concerns_connection(error: BaseException) -> bool:
    """Whether the database or the way there is to blame, rather than the statement that met the error."""
    if isinstance(error, StoreUnavailableError):  # none could be opened, or nobody knows what became of a COMMIT
        return True
    return isinstance(error, psycopg.Error) and not isinstance(error, (*_OF_ONE_OPERATION, *_AGAIN))


def again(error: BaseException) -> bool:
    """Whether the same may succeed when it is tried at once again: two waited for one another, or one too long."""
    return isinstance(error, _AGAIN)
