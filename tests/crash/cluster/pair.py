"""A primary and its synchronous standby: who kills the primary has the standby promoted, and a new one made of it.

What watches them does what managers of such pairs do: it promotes a standby only when it was known to have everything
at the moment of the kill, and else starts the primary again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.crash.cluster.server import AS_POSTGRES, DATABASE, START_S, Victim, answers, make_database, own_place
from tests.crash.history import Fault
from tests.support.postgres import PostgresServer, program
from tests.support.waiting import free_port, until_on_loop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from tests.crash.history import History

NOTICE_S = 0.4
"""How long it takes until somebody has seen that the primary is gone."""
LOOK_S = 0.05
SYNCED_S = 30.0
SETTINGS = """
wal_sender_timeout = 3s
wal_receiver_timeout = 3s
wal_retrieve_retry_interval = 200ms
hot_standby = on
"""


class Pair:
    """Two servers of which one is the primary. As a victim it is the primary with all its processes."""

    name = "postgres"

    def __init__(self, _directory: Path, stack: ExitStack, *, history: History) -> None:
        self.killed = 0
        self.promotions = 0
        self.complaints: list[str] = []
        self.service: Victim = self
        self._history = history
        self._place = own_place(stack)
        first = PostgresServer(self._place)
        self.ports = (first.port, free_port())
        self._data = (first.data, self._place / "data-2")
        self._running: list[asyncio.subprocess.Process | None] = [None, None]
        self._primary = 0
        self._synced = False
        self._stopped: list[int] = []
        self._task: asyncio.Task[None] | None = None
        with (first.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(SETTINGS)

    async def open(self) -> None:
        """Start the primary and a standby that has everything."""
        await self._launch(0)
        await until_on_loop(lambda: answers(self.ports[0]), patience_s=START_S, what="the primary to answer")
        await asyncio.to_thread(make_database, self.ports[0])
        await self._rebuild()
        self._task = asyncio.create_task(self._watch(), name="pair")

    def url(self, ports: Sequence[int]) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://postgres@{hosts}/{DATABASE}?target_session_attrs=read-write&connect_timeout=3"

    # --- as a victim ------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """Of the primary's postmaster."""
        process = self._running[self._primary]
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """It runs already."""

    def kill(self) -> None:
        """The primary's machine is gone."""
        if self._signal(self._family(), signal.SIGKILL):
            self.killed += 1
            self._history.add(Fault("kill", self.name))

    def stop(self) -> None:
        """The primary's machine does nothing."""
        self._stopped = self._family()
        if self._signal(self._stopped, signal.SIGSTOP):
            self._history.add(Fault("stop", self.name))

    def resume(self) -> None:
        """It goes on."""
        if self._signal(self._stopped, signal.SIGCONT):
            self._history.add(Fault("continue", self.name))
        self._stopped = []

    def disarm(self) -> None:
        """It has no points."""

    async def close(self) -> None:
        """End both."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.resume()
        for process in self._running:
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGQUIT)
                await process.wait()

    def _family(self) -> list[int]:
        pid = self.pid
        if pid is None:
            return []
        told = Path(f"/proc/{pid}/task/{pid}/children")
        with contextlib.suppress(OSError):
            return [pid, *map(int, told.read_text("ascii").split())]
        return [pid]

    @staticmethod
    def _signal(pids: Sequence[int], number: signal.Signals) -> bool:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(pids)

    # --- what watches them ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            process = self._running[self._primary]
            if process is not None and process.returncode is None:
                if not self._synced and await asyncio.to_thread(answers, self.ports[self._primary]):
                    await self._rebuild()
                continue
            await asyncio.sleep(NOTICE_S)
            if not await self._promote():
                await self._launch(self._primary)

    async def _promote(self) -> bool:
        standby = 1 - self._primary
        process, synced = self._running[standby], self._synced
        self._synced = False
        if not synced or process is None or process.returncode is not None:
            return False
        done = await self._run("pg_ctl", "-D", str(self._data[standby]), "-w", "promote")
        if done:
            self._primary = standby
            self.promotions += 1
            self._history.add(Fault("promotion", self.name))
        return done

    async def _rebuild(self) -> None:
        """A fresh standby of the primary, which counts from the moment at which it has everything."""
        standby = 1 - self._primary
        process = self._running[standby]
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        shutil.rmtree(self._data[standby], ignore_errors=True)
        port = str(self.ports[self._primary])
        copied = await self._run(
            *("pg_basebackup", "-h", "127.0.0.1", "-p", port, "-U", "postgres"),
            *("-D", str(self._data[standby]), "-X", "stream", "-R", "-c", "fast"),
        )
        if not copied:  # the primary was hit meanwhile
            return
        with (self._data[standby] / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"port = {self.ports[standby]}\n")
        await self._launch(standby)
        with contextlib.suppress(psycopg.Error, AssertionError):
            await until_on_loop(lambda: self._counts("state = 'streaming'"), patience_s=SYNCED_S, what="a standby")
            await asyncio.to_thread(self._ask, "ALTER SYSTEM SET synchronous_standby_names = '*'")
            await asyncio.to_thread(self._ask, "SELECT pg_reload_conf()")
            await until_on_loop(lambda: self._counts("sync_state = 'sync'"), patience_s=SYNCED_S, what="it to count")
            self._synced = True
            self._history.add(Fault("synced", self.name))

    def _counts(self, standing: str) -> bool:
        return self._ask(f"SELECT count(*) FROM pg_stat_replication WHERE {standing}") == (1,)

    def _ask(self, statement: str) -> tuple[object, ...] | None:
        url = f"postgresql://postgres@127.0.0.1:{self.ports[self._primary]}/postgres?connect_timeout=3"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchone() if cursor.description else None

    async def _launch(self, number: int) -> None:
        with (self._place / f"log-{number + 1}").open("ab") as log:
            self._running[number] = await asyncio.create_subprocess_exec(
                *AS_POSTGRES, program("postgres"), "-D", str(self._data[number]), cwd="/", stdout=log, stderr=log
            )

    async def _run(self, name: str, *arguments: str) -> bool:
        with (self._place / "log-tools").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *AS_POSTGRES, program(name), *arguments, cwd="/", stdout=log, stderr=subprocess.STDOUT
            )
            return await process.wait() == 0
