"""Who listens where on this machine, as /proc says it (proc(5))."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.config.endpoints import TcpAddress
from bridge.doctor.judge.listeners import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.config.endpoints import Endpoint

LISTENING: Final = "0A"  # TCP_LISTEN, include/net/tcp_states.h
ACCEPTS: Final = 1 << 16  # __SO_ACCEPTCON in the flags of /proc/net/unix


def holders(address: Endpoint) -> tuple[Process, ...]:
    """The processes that listen there, as far as this user may see them: root sees all, others their own."""
    inodes = set(_listening(address))
    return tuple(sorted(_owners(inodes), key=lambda process: process.pid)) if inodes else ()


def _listening(address: Endpoint) -> Iterator[str]:
    if isinstance(address, TcpAddress):
        for table in ("tcp", "tcp6"):
            yield from tcp_inodes(_read(f"/proc/net/{table}"), address.port)
    else:
        yield from unix_inodes(_read("/proc/net/unix"), os.path.realpath(address.path))


def tcp_inodes(table: str, port: int) -> Iterator[str]:
    """The inodes of sockets that listen on a port, at whichever address."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def unix_inodes(table: str, path: str) -> Iterator[str]:
    """The inodes of sockets that accept connections at a path."""
    for line in table.splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) > 7 and int(fields[3], 16) & ACCEPTS and os.path.realpath(fields[7]) == path:
            yield fields[6]


def name_of(pid: int) -> str:
    """What a process is called."""
    return _read(f"/proc/{pid}/comm").strip() or "a process"


def _owners(inodes: set[str]) -> Iterator[Process]:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and any(link in wanted for link in _open_files(entry)):
            yield Process(int(entry.name), name_of(int(entry.name)))


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # of another user, or gone meanwhile
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""
