"""Real processes that are killed, stopped and started again, whatever they do meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.crash.history import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.crash.history import History

ROOT = Path(__file__).resolve().parents[2]
ENTRY = (sys.executable, "-m", "tests.crash.entry")
RESTART_S = 0.05
HASTY_S = 0.3
"""A process that keeps ending by itself so soon is started again more slowly."""


class Service:
    """One process that is kept running until `close`.

    `points` are handed out one per launch (CRASH_POINT), each a place at which the process kills
    itself. Standard error goes to `<name>.log`, standard output to `output` or to the log.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str] | Callable[[], Sequence[str]],
        *,
        directory: Path,
        environment: Mapping[str, str],
        history: History,
        points: Sequence[str] = (),
        output: Path | None = None,
    ) -> None:
        self.name = name
        self.killed = 0
        """How often SIGKILL ended it: from outside, or by its own hand at a named point."""
        self.launches = 0
        self.complaints: list[str] = []
        """Ends that were nobody's doing: the process itself gave up, with this exit code."""
        self._command = command
        self._log = directory / f"{name.replace('/', '.')}.log"
        self._output = output
        self._environment = {**os.environ, **environment}
        self._history = history
        self._points: Iterator[str] = iter(points)
        self._armed = True
        self._point = ""
        self._process: asyncio.subprocess.Process | None = None
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running(), name=self.name)

    def disarm(self) -> None:
        """From now on no launch gets a point; a process that has one armed is killed once more."""
        self._armed = False
        if self._point:
            self.resume()
            self.kill()

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self._signal(signal.SIGKILL):
            self._history.add(Fault("kill", self.name))

    def stop(self) -> None:
        """SIGSTOP: it is there and does nothing."""
        if self._signal(signal.SIGSTOP):
            self._stopped = True
            self._history.add(Fault("stop", self.name))

    def resume(self) -> None:
        """SIGCONT after SIGSTOP."""
        if self._stopped and self._signal(signal.SIGCONT):
            self._history.add(Fault("continue", self.name))
        self._stopped = False

    async def close(self) -> None:
        """Ask it to end (SIGTERM), and wait; after ten seconds it is killed."""
        if self._task is None:
            return
        self.resume()
        task, self._task = self._task, None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            self.complaints.append("did not end on SIGTERM")
            self._signal(signal.SIGKILL)
            await process.wait()

    async def _keep_running(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            process = await self._launch()
            code = await process.wait()
            self._stopped = False
            if code == -signal.SIGKILL:
                self.killed += 1
            else:
                self.complaints.append(f"ended by itself with code {code}")
            hasty = code != -signal.SIGKILL and clock() - begun < 5
            await asyncio.sleep(HASTY_S if hasty else RESTART_S)

    async def _launch(self) -> asyncio.subprocess.Process:
        point = self._point = next(self._points, "") if self._armed else ""
        if point:
            self._history.add(Fault("point " + point, self.name))
        command = self._command() if callable(self._command) else self._command
        with self._log.open("ab") as log:
            output = log if self._output is None else self._output.open("ab")
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env={**self._environment, "CRASH_POINT": point},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=log,
            )
            output.close()
        self.launches += 1
        return self._process

    def _signal(self, number: signal.Signals) -> bool:
        if self.pid is None:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True
