"""Whose turn it is at the database's file: many commands may use it, or one puts another file in its place.

Whoever opened the file before that would write into one that has lost its name, and into a log that would be taken for
that of the new one. The directory itself is held, so that nothing is made by who only looks; the kernel lets go of it
however a process ends. Bridge and broker do not ask: they hold locks of their own, which who replaces it takes first.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bridge.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S, LOOK_S = 5.0, 0.02


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Within the block nobody replaces the file. Raises StoreUnavailableError while somebody does, after a while."""
    with _held(path, fcntl.LOCK_SH, "it is being replaced now; try again when that has ended"):
        yield


@contextmanager
def replacing(path: Path) -> Iterator[None]:
    """Within the block no command has the file open. Raises StoreUnavailableError while one has, after a while."""
    with _held(path, fcntl.LOCK_EX, "another command works with it; try again when it has ended"):
        yield


@contextmanager
def _held(path: Path, how: int, otherwise: str) -> Iterator[None]:
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # what is not there, or not for this user, is told by who opens the file
        yield
        return
    try:
        until = time.monotonic() + PATIENCE_S
        while not _locked(descriptor, how):
            if time.monotonic() >= until:
                raise StoreUnavailableError(f"{path}: {otherwise}")
            time.sleep(LOOK_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
