"""The settings of the mosquitto on this machine: which file it was started with, and what that says."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.doctor.look.sockets import holders, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.endpoints import TcpAddress

NAME: Final = "mosquitto"
DEPTH: Final = 4
"""How deep files may include others."""


class UnreadError(Exception):
    """There are no settings to be had; the text says why."""


def settings(address: TcpAddress) -> dict[str, str]:
    """The settings of the mosquitto that listens there; raises UnreadError.

    Of a setting that stands there several times the last counts, those of listeners included.
    """
    pid = _process(address)
    if pid is None:
        raise UnreadError("it is no mosquitto of this machine, or this user may not see it")
    file = _file(pid)
    if file is None:
        return {}  # it was started without one
    try:
        return dict(_read(file, DEPTH))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadError(f"{file} cannot be read: {getattr(error, 'strerror', '') or error}") from error


def _process(address: TcpAddress) -> int | None:
    """Who listens there, if it is a mosquitto; who may not see that takes the only one that there is."""
    found = holders(address)
    if found:
        return next((process.pid for process in found if process.name == NAME), None)
    running = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and name_of(int(entry.name)) == NAME
    ]
    return running[0] if len(running) == 1 else None


def _file(pid: int) -> Path | None:
    """The configuration that a process was started with."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        for option, value in itertools.pairwise(words):
            if option in {"-c", "--config-file"}:
                return Path(f"/proc/{pid}/cwd") / value if not value.startswith("/") else Path(value)
    return None


def _read(file: Path, depth: int) -> Iterator[tuple[str, str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if name == "include_dir" and depth:
            for each in sorted(Path(value.strip()).glob("*.conf")):
                yield from _read(each, depth - 1)
        else:
            yield name, value.strip()
