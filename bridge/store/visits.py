"""What the embedded broker noted of devices: tables of its own file that other programs may read.

They are described in docs/operations.md. The broker writes them within a second or so.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PATIENCE_S = 1.0
_QUERY = (
    "SELECT username, online, since, seen, address, client_id, protocol, transport, tls, shared,"
    " (SELECT at FROM beat) FROM visit"
)
PROTOCOLS = {3: "3.1", 4: "3.1.1", 5: "5"}


@dataclass(frozen=True, slots=True)
class NotedVisit:
    """How a device is connected, or was last. All times are Unix milliseconds.

    `shared_ms` is when two apps were last seen to take turns with its login; None when they never were.
    """

    online: bool
    since_ms: int
    seen_ms: int
    address: str
    client_id: str
    protocol: str
    transport: str
    tls: bool
    shared_ms: int | None


def read(path: Path, *, running: bool, of: Collection[str] | None = None) -> dict[str, NotedVisit] | None:
    """The visits by username, of all or of some; None when they cannot be read. Makes no file.

    While the broker does not run nobody is online, and who was when it ended was so until its last beat.
    """
    if not path.exists():
        return {}
    # Without its side files nobody has it open, and SQLite would make them only to look.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    try:
        uri = f"{path.resolve().as_uri()}?{how}"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as database:
            some = (
                (_QUERY, ()) if of is None else (f"{_QUERY} WHERE username IN ({', '.join('?' * len(of))})", tuple(of))
            )
            return {row[0]: _visit(row, running=running) for row in database.execute(*some)}
    except sqlite3.Error as error:
        # A file from before these tables, which a broker of this version has not opened yet.
        return {} if "no such table" in str(error) else None


def _visit(row: tuple[object, ...], *, running: bool) -> NotedVisit:
    _, online, since, seen, address, client_id, protocol, transport, tls, shared, beat = row
    last = max(_ms(seen), _ms(beat)) if online and not running else _ms(seen)
    return NotedVisit(
        online=bool(online) and running,
        since_ms=_ms(since),
        seen_ms=last,
        address=str(address),
        client_id=str(client_id),
        protocol=PROTOCOLS.get(int(str(protocol)), str(protocol)),
        transport=str(transport),
        tls=bool(tls),
        shared_ms=None if shared is None else _ms(shared),
    )


def _ms(epoch_s: object) -> int:
    return int(float(str(epoch_s or 0)) * 1000)
