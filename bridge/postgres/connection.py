"""A connection to PostgreSQL with the little of `sqlite3.Connection` that the operations of the store use.

`execute` and `executemany` take a statement as it stands there (`dialect.py`); rows are tuples, bytes are bytes, flags
and counts are int. For use by one thread.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
from psycopg import adapt, postgres, pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrBinaryDumper

from bridge.errors import StoreUnavailableError
from bridge.postgres import watchdog
from bridge.postgres.dialect import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONNECT_S = 5
PATIENCE_S = 20.0
"""How long one call may take before its connection is shut down."""
UNSAFE = "01000"
"""A warning at COMMIT: it is kept here, and the standby may not have it (its wait for that was cancelled)."""
SETTINGS = {
    "statement_timeout": "0",  # it would not reach the wait in COMMIT, and must never
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "5s",  # what a stopped bridge may keep others waiting
    "client_min_messages": "warning",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",  # no statement here is so long that it pays
    # Plans are kept from when a table was small, and each statement is about few rows: they are found by index.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
KEEPALIVE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class UnkeptError(StoreUnavailableError):
    """COMMIT came back and says that a standby may not have it: nobody is told that it was kept."""


class _Text(StrBinaryDumper):
    """Text cannot hold U+0000 there."""

    def dump(self, obj: str) -> bytes | None:
        return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)  # type: ignore[return-value]


class _Whole(NumericBinaryLoader):
    """Sums of numbers are numbers."""

    def load(self, data: Any) -> Any:
        value = super().load(data)
        return int(value) if value == value.to_integral_value() else float(value)


def _adapted() -> adapt.AdaptersMap:
    adapters = adapt.AdaptersMap(postgres.adapters)
    for number in (int, bool):
        adapters.register_dumper(number, Int8BinaryDumper)
    adapters.register_dumper(str, _Text)
    adapters.register_loader("numeric", _Whole)
    return adapters


class PostgresConnection:
    """An open session; None of its statements is in a transaction unless `begin` was called."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], *, patience_s: float = PATIENCE_S) -> None:
        self.raw = connection
        self.began_at: float | None = None
        self.patience_s = patience_s
        self._unsafe = False
        self._begin = ""
        connection.add_notice_handler(self._noticed)
        watchdog.watch(self)

    def execute(self, sql: str, parameters: Any = (), /) -> psycopg.Cursor[tuple[Any, ...]]:
        """Have a statement done; the cursor has its rows, and how many it changed (`rowcount`)."""
        statement = translated(sql)
        with self._busy():
            self._begun()
            return self.raw.cursor(binary=True).execute(statement.text, _ordered(statement.order, parameters))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> psycopg.Cursor[tuple[Any, ...]]:
        """The same for each of many rows of parameters; `rowcount` is of all."""
        statement = translated(sql)
        cursor = self.raw.cursor(binary=True)
        with self._busy():
            self._begun()
            cursor.executemany(statement.text, [_ordered(statement.order, row) for row in rows])
        return cursor

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Within the block statements are sent without waiting for what became of those before."""
        with self._busy(), self.raw.pipeline():
            self._begun()
            yield

    def begin(self, *, reading: bool = False) -> None:
        """Begin a transaction, together with its first statement."""
        self._begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if reading else "BEGIN"

    def _begun(self) -> None:
        if self._begin:
            begin, self._begin = self._begin, ""
            self.raw.execute(begin)

    def commit(self) -> None:
        """Have it kept: when this returns it is on disk, and at the standby where there is one that counts.

        Raises UnkeptError, or what psycopg raises: then who knows. It is neither cancelled nor limited in time.
        """
        if self._begin:  # nothing was done
            self._begin = ""
            return
        self._unsafe = False
        self.execute("COMMIT")
        if self._unsafe:
            raise UnkeptError("postgresql: it is not known whether the standby has what was committed")

    def rollback(self) -> None:
        """Drop what was done in the transaction, if there is one."""
        self._begin = ""
        if not self.raw.closed and self.in_transaction:
            self.execute("ROLLBACK")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.raw.info.transaction_status != pq.TransactionStatus.IDLE

    @property
    def closed(self) -> bool:
        """Whether nothing can be done on it any more."""
        return self.raw.closed

    def fileno(self) -> int:
        """Its socket."""
        return self.raw.fileno()

    def close(self) -> None:
        """End the session."""
        self.raw.close()

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.sqlstate == UNSAFE:
            self._unsafe = True

    @contextmanager
    def _busy(self) -> Iterator[None]:
        before = self.began_at
        self.began_at = time.monotonic() if before is None else before
        try:
            yield
        finally:
            self.began_at = before


def _ordered(order: Sequence[Any], parameters: Any) -> Sequence[Any]:
    """The values for a statement, given in order or by name."""
    return [parameters[key] for key in order]


def connect(url: str, *, name: str, patience_s: float = PATIENCE_S, reading: bool = False) -> PostgresConnection:
    """A session with the database at a URL, as `name` says to whoever lists them; `reading` never writes.

    Of several hosts the one that is no standby. Raises StoreUnavailableError without the URL's password.
    """
    try:
        options = " ".join(f"-c {key}={value}" for key, value in SETTINGS.items())
        theirs = conninfo_to_dict(url)
        connection = psycopg.connect(
            url,
            autocommit=True,
            options=f"{options} {theirs.get('options') or ''}",
            application_name=f"postbell {name}",
            connect_timeout=theirs.get("connect_timeout") or CONNECT_S,
            target_session_attrs=theirs.get("target_session_attrs") or "primary",
            context=_CONTEXT,
            **KEEPALIVE,
        )
        if reading:  # not among the options: a URL may ask for a server that can be written to
            connection.execute("SET default_transaction_read_only = on")
    except psycopg.Error as error:
        raise StoreUnavailableError(f"{shown(url)}: {_words(error)}") from error
    connection.prepare_threshold = 1
    connection.prepared_max = 500
    return PostgresConnection(connection, patience_s=patience_s)


class _Context:
    """What connections are made with: how values go there and come back."""

    adapters = _adapted()
    connection = None


_CONTEXT = _Context()


def shown(url: str) -> str:
    """A database's URL without the password in it, for people and logs."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")
    who = where[0].partition(":")[0]
    return f"{parts.scheme}://{who + where[1]}{where[2]}{parts.path}"


def _words(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
