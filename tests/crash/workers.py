"""A worker of the bridge, to be killed and stopped: the bridge starts them, and starts them again."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.crash.processes import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.crash.history import History

NAME = "worker"


class AnyWorker(Service):
    """Whichever worker is the first to be found, as a service that somebody else keeps running."""

    def __init__(self, bridge: Service, *, directory: Path, environment: Mapping[str, str], history: History) -> None:
        super().__init__(NAME, (), directory=directory, environment=environment, history=history)
        self._bridge = bridge
        self._stopped_pid: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id of one, or of the one that was stopped."""
        return self._stopped_pid or self._found()

    def kill(self) -> None:
        """SIGKILL, if there is one."""
        there = self.pid is not None
        super().kill()
        self.killed += there
        self._stopped_pid = None

    def stop(self) -> None:
        """SIGSTOP: it holds what it has, and does nothing."""
        found = self._found()
        super().stop()
        self._stopped_pid = found

    def resume(self) -> None:
        """SIGCONT after SIGSTOP."""
        super().resume()
        self._stopped_pid = None

    def disarm(self) -> None:
        """It has no points."""

    async def close(self) -> None:
        """It ends with its bridge."""
        self.resume()

    def _found(self) -> int | None:
        if self._bridge.pid is None:
            return None
        for told in Path(f"/proc/{self._bridge.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for pid in told.read_text("ascii").split():
                    if b"bridge.daemon.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return int(pid)
        return None
