"""The directory in which a Dovecot of this machine leaves the names of users whose mailboxes changed.

Anybody on the machine may leave files there, so a name is no more than a reason to look into a mailbox that is
followed: a false one costs a look, and what is beyond `AT_ONCE` waits.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOK_S = 0.25
STEPS_S = 1.0
"""A directory that changed so lately may change again without another time: its clock has steps."""
AT_ONCE = 5_000
"""Files that are read, and removed, in one go."""


class MailEvents:
    """Looks for names; `called` is told each."""

    def __init__(self, directory: Path, *, called: Callable[[str], None]) -> None:
        self._directory = directory
        self._called = called
        self._changed_ns = -1
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Look until cancelled."""
        missing = False
        while True:
            try:
                for name in await self._taken():
                    self._called(unquote(name, errors="replace"))
                missing = False
            except OSError as error:
                if not missing:
                    self._log.warning("mail_events_unreadable", directory=str(self._directory), reason=str(error))
                missing = True
            await asyncio.sleep(LOOK_S)

    async def _taken(self) -> list[str]:
        """The names that are there now; they are removed."""
        changed_ns = self._directory.stat().st_mtime_ns
        lately = time.time_ns() - changed_ns < STEPS_S * 1e9
        if changed_ns == self._changed_ns and not lately:
            return []
        self._changed_ns = changed_ns
        return await asyncio.to_thread(_take, self._directory)


def _take(directory: Path) -> list[str]:
    with os.scandir(directory) as entries:
        names = [entry.name for entry in itertools.islice(entries, AT_ONCE)]
    taken = []
    for name in names:
        with suppress(OSError):  # a directory that somebody made, or it is gone
            (directory / name).unlink()
            taken.append(name)
    return taken
