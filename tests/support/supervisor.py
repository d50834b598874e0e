"""A service manager for tests: it hears what a process tells, and hands listening sockets over as systemd does."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S = 60.0
HAND_OVER = """
import json, os, sys
numbers, names, command = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
kept = [number if number >= 0 else os.open("/dev/null", os.O_RDONLY) for number in numbers]
high = [os.dup2(number, 100 + place, inheritable=False) for place, number in enumerate(kept)]
for number in kept:
    os.close(number)
for place, number in enumerate(high):
    os.dup2(number, 3 + place)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(high)), "LISTEN_FDNAMES": names}
os.execv(command[0], command)
"""


class Manager:
    """A socket for `NOTIFY_SOCKET`, and what came in at it. Use as a context manager."""

    def __init__(self, directory: Path, *, abstract: str = "") -> None:
        self.address = f"@{abstract}" if abstract else str(directory / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{abstract}" if abstract else self.address)
        self._socket.settimeout(PATIENCE_S)
        self.told: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def next(self) -> list[str]:
        """The lines of the next datagram."""
        lines = self._socket.recv(65_536).decode().split("\n")
        self.told += lines
        return lines

    def wait(self, line: str) -> None:
        """Read on until a line begins so."""
        while not any(each.startswith(line) for each in self.next()):
            pass

    def waiting(self, *, within_s: float = 0.0) -> list[str]:
        """What is there by now, or comes within that time."""
        before = len(self.told)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            self._socket.settimeout(within_s)
            while True:
                self.next()
        self._socket.settimeout(PATIENCE_S)
        return self.told[before:]


def handing_over(*sockets: socket.socket | None, names: str = "", command: Sequence[str]) -> dict[str, Any]:
    """Arguments for Popen that start a command with these sockets, None being a descriptor that is no socket."""
    numbers = [-1 if each is None else each.fileno() for each in sockets]
    return {
        "args": [sys.executable, "-c", HAND_OVER, json.dumps(numbers), names, *command],
        "pass_fds": [number for number in numbers if number >= 0],
    }


def descriptors(pid: int) -> set[str]:
    """What the descriptors of a process stand for: a path, or a kind and an inode."""
    return {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}
