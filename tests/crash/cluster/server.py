"""PostgreSQL for a run: one server, which is killed and recovers."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg

from tests.crash.processes import Service
from tests.support.postgres import PostgresServer, program
from tests.support.waiting import until_on_loop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from tests.crash.history import History

DATABASE = "postbell"
START_S = 60.0
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--") if os.geteuid() == 0 else ()
"""It refuses to be root."""


class Victim(Protocol):
    """What a schedule can hit: a process that is kept running, or several that count as one."""

    name: str
    killed: int
    complaints: list[str]

    @property
    def pid(self) -> int | None:
        """Of what is hit now, while it runs."""

    def start(self) -> None:
        """Keep it running from now on."""

    def kill(self) -> None:
        """SIGKILL."""

    def stop(self) -> None:
        """SIGSTOP."""

    def resume(self) -> None:
        """SIGCONT."""

    def disarm(self) -> None:
        """No named points any more."""

    async def close(self) -> None:
        """End it."""


class Database(Protocol):
    """A database of a run."""

    @property
    def ports(self) -> Sequence[int]:
        """Of its servers, whichever of them may be written to."""

    @property
    def service(self) -> Victim:
        """What schedules call `postgres`."""

    @property
    def promotions(self) -> int:
        """How often a standby took the place of the primary."""

    async def open(self) -> None:
        """Start it, with an empty database, and wait until it can be written to."""

    def url(self, ports: Sequence[int]) -> str:
        """How it is reached by way of these ports, one for each of its own."""


def answers(port: int, *, database: str = "postgres") -> bool:
    """Whether a server can be written to."""
    try:
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/{database}?connect_timeout=3") as connection:
            return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
    except psycopg.Error:
        return False


def make_database(port: int) -> None:
    """An empty database for the bridges."""
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")


def own_place(stack: ExitStack) -> Path:
    """A directory that another user may enter, gone when the run is over."""
    place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postbell-pg-", ignore_cleanup_errors=True)))
    place.chmod(0o755)
    return place


class OneServer:
    """A single server; `kill` hits the postmaster, and all of its sessions end with it."""

    promotions = 0

    def __init__(self, directory: Path, stack: ExitStack, *, history: History) -> None:
        self._server = PostgresServer(own_place(stack))
        self.ports = (self._server.port,)
        command = (*AS_POSTGRES, program("postgres"), "-D", str(self._server.data))
        self.service: Victim = Service("postgres", command, directory=directory, environment={}, history=history)

    async def open(self) -> None:
        self.service.start()
        await until_on_loop(lambda: answers(self.ports[0]), patience_s=START_S, what="PostgreSQL to answer")
        await asyncio.to_thread(make_database, self.ports[0])

    def url(self, ports: Sequence[int]) -> str:
        return f"postgresql://postgres@127.0.0.1:{ports[0]}/{DATABASE}?connect_timeout=3"
