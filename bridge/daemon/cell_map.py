"""What a proxy in front of the cells is told: a file that says at which cell a user is, and HAProxy's runtime API.

The file is what HAProxy reads when it starts. One that runs is told of each change over its admin socket, so that no
connection is lost to a reload; where it could not be told, it is told all of it the next time, as one transaction.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from bridge import cells
from bridge.errors import ConfigurationError, PostbellError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ANSWER_S = 5.0
MODE = 0o644
AT_ONCE = 100
"""Commands of one connection, whose line is bounded."""
LINES_AT_ONCE = 200
"""Lines of the map in one command: HAProxy's buffer has 16 KiB."""


class ProxyUntoldError(PostbellError):
    """HAProxy could not be told; the text says why."""


class CellMap:
    """The file at `path`, and the HAProxy whose admin socket is `haproxy`, if one is named."""

    def __init__(self, path: Path, *, haproxy: Path | None) -> None:
        self._path = path
        self._haproxy = haproxy
        self._told: list[tuple[str, str]] | None = None
        """What HAProxy knows, as far as this process has told it."""
        self._trouble = ""
        self._log = structlog.get_logger()

    @property
    def kept(self) -> bool:
        """Whether there is a file already."""
        return self._path.exists()

    async def bring_up_to_date(self, now: Sequence[tuple[str, str]]) -> bool:
        """Have file and proxy say who is at which cell; whether HAProxy knows. Why not is logged once.

        Raises ConfigurationError where the file cannot be written.
        """
        return await asyncio.to_thread(self._bring_up_to_date, now)

    def _bring_up_to_date(self, now: Sequence[tuple[str, str]]) -> bool:
        try:
            before = cells.parse(self._path.read_text(encoding="utf-8")) if self.kept else None
            changes = list(cells.changes(before or (), now))
            if changes or before is None:
                self._write("".join(cells.line(*each) for each in now))
        except OSError as error:
            raise ConfigurationError(
                f"cells.map = {str(self._path)!r}: {error.strerror}; name another place"
            ) from error
        if self._haproxy is None or self._told == list(now):
            return True
        before_it = self._told
        self._told = None
        try:
            if before_it is not None:
                self._tell(_commands(self._path, cells.changes(before_it, now)))
            else:
                self._tell_all(now)
        except (OSError, ProxyUntoldError) as error:
            reason = str(error) or type(error).__name__
            if reason != self._trouble:
                self._log.warning("proxy_not_told", reason=reason)
            self._trouble = reason
            return False
        self._told, self._trouble = list(now), ""
        self._log.info("proxy_told", changed=len(changes), users=len(now))
        return True

    def _write(self, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(MODE)
        fresh.replace(self._path)

    def _tell(self, commands: Sequence[str]) -> None:
        for start in range(0, len(commands), AT_ONCE):
            said = self._ask("; ".join(commands[start : start + AT_ONCE]) + "\n")
            if said.strip():
                raise ProxyUntoldError(said.strip().splitlines()[0])

    def _tell_all(self, now: Sequence[tuple[str, str]]) -> None:
        """The whole map as a new version, which takes the place of the old in one step."""
        said = self._ask(f"prepare map {self._path}\n")
        version = re.search(r"New version created: (\d+)", said)
        if version is None:
            raise ProxyUntoldError(said.strip() or "no answer")
        number = version[1]
        for start in range(0, len(now), LINES_AT_ONCE):
            lines = "".join(cells.line(*each) for each in now[start : start + LINES_AT_ONCE])
            said = self._ask(f"add map @{number} {self._path} <<\n{lines}\n")
            if said.strip():
                raise ProxyUntoldError(said.strip().splitlines()[0])
        said = self._ask(f"commit map @{number} {self._path}\n")
        if said.strip():
            raise ProxyUntoldError(said.strip().splitlines()[0])

    def _ask(self, command: str) -> str:
        assert self._haproxy is not None
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(self._haproxy))
            connection.sendall(command.encode())
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b"")).decode(errors="replace")


def _commands(path: Path, changes: Iterable[cells.MapChange]) -> list[str]:
    commands = []
    for change in changes:
        if change.now is None:
            commands.append(f"del map {path} {change.user}")
        elif change.before is None:
            commands.append(f"add map {path} {change.user} {change.now}")
        else:
            commands.append(f"set map {path} {change.user} {change.now}")
    return commands
