"""`--exec`: the user's own command, run once for each new message."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import deque

AT_ONCE = 4
"""How many commands run side by side; the others wait for their turn, in order."""


class Hook:
    """Runs `sh -c COMMAND` with the message as JSON on standard input and its id in POSTBELL_ID.

    Nothing of a mail is ever part of the command line. The command's standard output goes to
    standard error, because standard output belongs to the messages.
    """

    def __init__(self, command: str, *, hidden: tuple[str, ...]) -> None:
        self._command = command
        self._environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, mail_id: str, json_line: bytes) -> None:
        """Run the command for a message, now or when its turn comes."""
        self._waiting.append((mail_id, json_line))
        self.poll()

    def poll(self) -> None:
        """Collect the commands that ended and start those that wait; after SIGCHLD."""
        self._running = [process for process in self._running if process.poll() is None]
        while self._waiting and len(self._running) < AT_ONCE:
            self._running.append(self._start(*self._waiting.popleft()))

    def finish(self) -> None:
        """Run what still waits and wait for all of it: a mail that was shown has its command run."""
        while self._waiting or self._running:
            self.poll()
            for process in self._running:
                process.wait()

    def _start(self, mail_id: str, json_line: bytes) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as stdin:  # a file, since a pipe would block if nobody reads it
            stdin.write(json_line)
            stdin.seek(0)
            return subprocess.Popen(  # noqa: S603 (the user's own command; mail comes on stdin only)
                ["/bin/sh", "-c", self._command],
                stdin=stdin,
                stdout=2,
                env={**self._environment, "POSTBELL_ID": mail_id},
            )
