"""The embedded broker as a process of its own: started, watched, started again when it dies.

The child holds the reading end of a pipe and ends when the writing end closes, so it does not
outlive this process even when that is killed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import structlog

from bridge.config.passing import judged
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.publish.backoff import Backoff

USAGE = 2
"""How a broker ends that refuses its configuration: to start it again would not help."""
STEADY_S = 30.0
"""A child that lived this long was healthy: its next restart does not wait longer than the first."""
STOP_S = 10.0
"""How long it may take to end before it is killed."""


class BrokerRefusesError(ConfigurationError):
    """The broker ended, as its configuration cannot be used; it has said why on standard error."""


class BrokerChild:
    """Keeps one broker process running until cancelled."""

    def __init__(
        self,
        *,
        config: Path | None,
        backoff: Backoff,
        jitter: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        # -P: it imports nothing from the directory that the bridge happens to stand in
        self._command = [sys.executable, "-P", "-m", "broker", "--parent-pipe"]
        if config is not None:
            self._command += ["--config", str(config)]
        self._backoff = backoff
        self._jitter = jitter
        self._monotonic = monotonic
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Run the broker for ever; raises ConfigurationError when it refuses that, or cannot be started at all."""
        attempt = 0
        while True:
            started_at = self._monotonic()
            try:
                code = await self._run_once()
            except OSError as error:  # of the program, which this user may not read or the system not start
                program = f"the broker cannot be started: {self._command[0]}: {error.strerror}"
                raise judged(error, f"{program}; install Postbell where this user may read it") from error
            if code == USAGE:
                raise BrokerRefusesError("the broker refused its configuration; its message is above")
            attempt = 0 if self._monotonic() - started_at > STEADY_S else attempt + 1
            self._log.error("broker_died", code=code, restarts=attempt)
            await asyncio.sleep(self._backoff.delay_s(attempt, jitter=self._jitter()))

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._log.info("broker_started", pid=process.pid)
        return await until_end(process)


async def until_end(process: asyncio.subprocess.Process) -> int:
    """How a process ends by itself. To cancel this ends it: it is told to, and killed when it does not listen."""
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        ending = asyncio.ensure_future(process.wait())
        # in a task that is being cancelled, a timeout of Python 3.11.2 ends as one more cancellation
        if ending not in (await asyncio.wait({ending}, timeout=STOP_S))[0]:
            process.kill()
        await ending
        raise
