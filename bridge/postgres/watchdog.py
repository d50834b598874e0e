"""Connections to a database that says nothing any more are shut down, as nothing else ends a call on them.

libpq has no limit for reading, and what is between here and there may keep a connection open that leads nowhere. A call
is never cancelled: a COMMIT that is could be kept, or not. Shut down it fails, and nobody is told that it was kept.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from contextlib import suppress
from typing import Protocol

LOOK_S = 1.0


class OpenCall(Protocol):
    """A connection. `began_at` is when its call began, by the monotonic clock; None while it has none."""

    began_at: float | None
    patience_s: float

    def fileno(self) -> int:
        """Its socket; raises where there is none."""


_watched: weakref.WeakSet[OpenCall] = weakref.WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def watch(connection: OpenCall) -> None:
    """Look after a connection for as long as it is there."""
    global _thread  # noqa: PLW0603 - one thread for all connections of the process
    with _lock:
        _watched.add(connection)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="postgres-watchdog", daemon=True)
            _thread.start()


def _run() -> None:
    while True:
        time.sleep(LOOK_S)
        with _lock:
            some = list(_watched)
        for connection in some:
            since = connection.began_at
            if since is not None and time.monotonic() - since > connection.patience_s:
                shut(connection)


def shut(connection: OpenCall) -> None:
    """Have the call fail that waits at this connection."""
    with suppress(Exception):  # it ended meanwhile
        descriptor = os.dup(connection.fileno())
        with socket.socket(fileno=descriptor) as its:
            its.shutdown(socket.SHUT_RDWR)
