"""Who looks at the store again after each change, in whichever process, and not five times a second for nothing.

Linux tells when a file in the store's directory is written (inotify(7)); Python has no words for that. The broker does
the same for the table of logins (broker/commits.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTLES_S: Final = 2.0
"""From the first byte of a commit to its being there for others, as long as most disks take at worst."""
BEAT_S: Final = 10.0
"""How often to look though nobody told of anything: for a disk that takes longer."""

_WRITTEN: Final = 0x002 | 0x040 | 0x080 | 0x100 | 0x200
"""IN_MODIFY, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE and IN_DELETE."""
_BLOCK: Final = 65_536


class CommitWatch:
    """Calls `told` when a file of a directory is written, once for each `arm_s`. Made and closed in a running loop."""

    def __init__(self, directory: Path, *, told: Callable[[], None]) -> None:
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._written_at_s = self._loop.time()
        self._number = _watch(directory)
        self._armed = False

    def arm_s(self) -> float:
        """How many seconds it is enough to wait for `told`: none while a commit may be under way, or nothing tells."""
        if self._number is None:
            return 0.0
        if self._drain():
            self._written_at_s = self._loop.time()
        if self._loop.time() < self._written_at_s + SETTLES_S:
            return 0.0
        if not self._armed:
            self._armed = True
            self._loop.add_reader(self._number, self._tell)
        return BEAT_S

    def close(self) -> None:
        """Tell no more."""
        if self._number is not None:
            self._disarm()
            os.close(self._number)
            self._number = None

    def _tell(self) -> None:
        self._disarm()
        self._written_at_s = self._loop.time()
        self._told()

    def _disarm(self) -> None:
        if self._armed and self._number is not None:
            self._armed = False
            self._loop.remove_reader(self._number)

    def _drain(self) -> bool:
        """Take what the system has told so far; whether that is anything."""
        assert self._number is not None
        some = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._number, _BLOCK):
                some = True
        return some


def _watch(directory: Path) -> int | None:
    """A descriptor that is readable once something in the directory was written; None where there is no such thing."""
    library = ctypes.CDLL(None, use_errno=True)
    begin, add = getattr(library, "inotify_init1", None), getattr(library, "inotify_add_watch", None)
    if begin is None or add is None:
        return None
    number: int = begin(os.O_NONBLOCK | os.O_CLOEXEC)
    if number < 0:
        return None
    if add(number, os.fsencode(directory), _WRITTEN) < 0:  # not there, or as many watches as a user may have
        os.close(number)
        return None
    return number
