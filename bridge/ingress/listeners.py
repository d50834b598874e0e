"""Sockets that listen for mail: over TCP, or as a file with an owner and a mode."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.config.endpoints import Endpoint, TcpAddress, UnixAddress
from bridge.config.permissions import OURS, OWNER_AND_GROUP, FileMode, FileOwner
from bridge.errors import ConfigurationError
from bridge.ingress.accepting import Accepting

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.ingress.accepting import Met

BACKLOG = 512
KEPT: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""So that a closed server leaves the file of its socket alone: from Python 3.13 on it would remove it."""


@dataclass(frozen=True, slots=True)
class SocketFile:
    """Mode and owner of a UNIX socket."""

    mode: FileMode = OWNER_AND_GROUP
    owner: FileOwner = OURS


class Listener:
    """One open listening socket and the address at which it is reached; the file of one that is not `ours` stays."""

    def __init__(
        self, server: asyncio.Server, address: Endpoint, *, ours: bool = True, accepting: Accepting | None = None
    ) -> None:
        self._server = server
        self._accepting = accepting
        self.address = address
        self._file = Path(address.path) if ours and isinstance(address, UnixAddress) else None
        self._inode = None if self._file is None else _inode(self._file)

    def close(self) -> None:
        """Accept nobody any more; the socket file goes unless somebody else has replaced it."""
        if self._accepting is not None:
            self._accepting.close()
        self._server.close()
        if self._file is not None and _inode(self._file) == self._inode:
            self._file.unlink(missing_ok=True)


async def open_listener(
    factory: Callable[[], asyncio.BaseProtocol],
    address: Endpoint,
    *,
    preferred_port: int = 0,
    socket_file: SocketFile,
    met: Met | None = None,
    handed: socket.socket | None = None,
) -> Listener:
    """Listen at an address; for port 0 at `preferred_port` if it is free.

    Raises OSError where the address cannot be listened on, ConfigurationError when a UNIX socket cannot have its owner.

    `handed` is a socket that listens there already; whoever opened it answers for the mode and the end of its file.
    With `met` connections are given to that as they were accepted, and `factory` makes nothing of them.
    """
    if handed is not None:
        server = await _serve(factory, handed, met)
        return Listener(server, address, ours=False, accepting=_accepting(server, met))
    if isinstance(address, UnixAddress):
        server = await _serve(factory, _bind_file(Path(address.path), socket_file), met)
        return Listener(server, address, accepting=_accepting(server, met))
    if address.port == 0 and preferred_port:
        with contextlib.suppress(OSError):
            return await _listen_tcp(factory, TcpAddress(address.host, preferred_port), met)
    return await _listen_tcp(factory, address, met)


async def _serve(factory: Callable[[], asyncio.BaseProtocol], bound: socket.socket, met: Met | None) -> asyncio.Server:
    loop, how = asyncio.get_running_loop(), _how(met)
    if bound.family == socket.AF_UNIX:
        return await loop.create_unix_server(factory, sock=bound, **how, **KEPT)
    return await loop.create_server(factory, sock=bound, **how)


async def _listen_tcp(factory: Callable[[], asyncio.BaseProtocol], address: TcpAddress, met: Met | None) -> Listener:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, address.host, address.port, **_how(met))
    port = server.sockets[0].getsockname()[1]
    return Listener(server, TcpAddress(address.host, port), accepting=_accepting(server, met))


def _how(met: Met | None) -> dict[str, Any]:
    """What a server is told: it only binds its sockets where somebody else accepts."""
    return {"backlog": BACKLOG, "start_serving": met is None}


def _accepting(server: asyncio.Server, met: Met | None) -> Accepting | None:
    if met is None:
        return None
    try:
        return Accepting(server.sockets, met, backlog=BACKLOG)
    except OSError:
        server.close()
        raise


def _bind_file(path: Path, file: SocketFile) -> socket.socket:
    """A listening socket that appears at `path` with its owner and mode already set."""
    if _inode(path) is not None:
        _require_stale(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    hidden.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(hidden))
        _chown(hidden, file.owner)
        hidden.chmod(file.mode)
        bound.listen(BACKLOG)
        hidden.rename(path)
    except BaseException as error:
        bound.close()
        hidden.unlink(missing_ok=True)
        if isinstance(error, LookupError):
            raise ConfigurationError(
                f"lmtp.socket_owner = {str(file.owner)!r}: there is no such user or group; "
                "install the mail server first, or mend the name"
            ) from error
        raise
    return bound


def _chown(path: Path, owner: FileOwner) -> None:
    """Give a file its owner. Without root only the group can be set, and to one that the process is a member of."""
    try:
        if owner.user:
            shutil.chown(path, user=owner.user)
        if owner.group:
            shutil.chown(path, group=owner.group)
    except PermissionError as error:
        group = owner.group or "GROUP"
        raise ConfigurationError(
            f"lmtp.socket_owner = {str(owner)!r}: {error.strerror}; only root may give it to anybody: write "
            f'":{group}", put the user that runs this into that group (sudo usermod -aG {group} USER) and start it anew'
        ) from error


def _require_stale(path: Path) -> None:
    """Raise unless `path` is a socket on which nobody listens."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise FileExistsError(errno.EEXIST, "there is a file that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise OSError(errno.EADDRINUSE, "somebody listens there")


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
