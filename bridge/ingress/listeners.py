"""Sockets that listen for mail: over TCP, or as a file with an owner and a mode."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config.endpoints import Endpoint, TcpAddress, UnixAddress
from bridge.config.permissions import OURS, OWNER_AND_GROUP, FileMode, FileOwner
from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 512


@dataclass(frozen=True, slots=True)
class SocketFile:
    """Mode and owner of a UNIX socket."""

    mode: FileMode = OWNER_AND_GROUP
    owner: FileOwner = OURS


class Listener:
    """One open listening socket and the address at which it is reached."""

    def __init__(self, server: asyncio.Server, address: Endpoint) -> None:
        self._server = server
        self.address = address
        self._inode = _inode(Path(address.path)) if isinstance(address, UnixAddress) else None

    def close(self) -> None:
        """Accept nobody any more; the socket file goes unless somebody else has replaced it."""
        self._server.close()
        if isinstance(self.address, UnixAddress) and _inode(path := Path(self.address.path)) == self._inode:
            path.unlink(missing_ok=True)


async def open_listener(
    factory: Callable[[], asyncio.BaseProtocol],
    address: Endpoint,
    *,
    preferred_port: int = 0,
    socket_file: SocketFile,
) -> Listener:
    """Listen at an address; for port 0 at `preferred_port` if it is free. Raises ConfigurationError."""
    loop = asyncio.get_running_loop()
    try:
        if isinstance(address, UnixAddress):
            bound = _bind_file(Path(address.path), socket_file)
            server = await loop.create_unix_server(factory, sock=bound, backlog=BACKLOG)
            return Listener(server, address)
        if address.port == 0 and preferred_port:
            with contextlib.suppress(OSError):
                return await _listen_tcp(factory, TcpAddress(address.host, preferred_port))
        return await _listen_tcp(factory, address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {address}: {error.strerror or error}; {_advice(error, address)}"
        ) from error


async def _listen_tcp(factory: Callable[[], asyncio.BaseProtocol], address: TcpAddress) -> Listener:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, address.host, address.port, backlog=BACKLOG)
    return Listener(server, TcpAddress(address.host, server.sockets[0].getsockname()[1]))


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
            raise ConfigurationError(f"{path}: owner {str(file.owner)!r}: no such user or group") from error
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
            f"owner {str(owner)!r}: {error.strerror}; only root may give it to anybody: write lmtp.socket_owner = "
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


def _advice(error: OSError, address: Endpoint) -> str:
    if error.errno == errno.EADDRINUSE:
        return "end the other program or choose another address"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "choose a port from 1024 up, another path, or grant the right to use it"
    if error.errno == errno.EEXIST:
        return "remove it or choose another path"
    return "choose an address that this machine has" if isinstance(address, TcpAddress) else "choose another path"
