"""Ingress and intake as a process of their own, so that their memory and their event loop can be watched.

`python -m tests.support.abused_ingress DIRECTORY` prints its SMTP address, and for every line on
standard input the longest turn of the event loop since the line before, in milliseconds of the
thread's own processor time, so that a busy machine does not count.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bridge.config.endpoints import TcpAddress
from bridge.directory import User
from bridge.ingress import Ingress, IngressSettings, SessionLimits
from bridge.intake import Intake
from bridge.kept import Kept
from bridge.spool import Spool
from tests.support.book import Book

if TYPE_CHECKING:
    from bridge.model import Envelope

DIRECTORY = Book([User(1, "alice")], [("alice@example.org", 1)])


class Forgetful:
    """A store that keeps nothing."""

    async def keep(self, envelope: Envelope, *_: object, **__: object) -> tuple[Kept, ...]:
        return tuple(Kept(to.user_id, to.user, 1, copy_of_known=True) for to in envelope.recipients)


class Turns:
    """Looks at the event loop every few milliseconds: how much work was done before it could look?"""

    SECONDS = 0.002

    def __init__(self) -> None:
        self.longest = 0.0
        self._look()

    def _look(self) -> None:
        self._began = time.thread_time()
        self._next = asyncio.get_running_loop().call_later(self.SECONDS, self._looked)

    def _looked(self) -> None:
        self.longest = max(self.longest, time.thread_time() - self._began)
        self._look()

    def stop(self) -> None:
        """Look no more."""
        self._next.cancel()

    def take(self) -> float:
        """Milliseconds of the longest turn since last asked."""
        longest, self.longest = self.longest, 0.0
        return longest * 1000


def say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(directory: Path) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    spool = Spool(directory)
    limits = SessionLimits(commands=10**9, errors=10**9)  # so that nothing but the turns keeps a flood in check
    settings = IngressSettings(hostname="mx.example", smtp_listen=TcpAddress("127.0.0.1", 0), limits=limits)
    intake = Intake(store=Forgetful(), directory=DIRECTORY, discard=spool.discard)
    ingress = Ingress(intake=intake, spool=spool, settings=settings)
    await ingress.start()
    say(ingress.addresses["smtp"])
    turns = Turns()
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        say(turns.take())
    await ingress.close(grace_s=0)
    spool.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
