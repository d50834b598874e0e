"""Whether each address of a configuration can be listened on now, by this user of this machine."""

from __future__ import annotations

import errno
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config.endpoints import Endpoint, TcpAddress, UnixAddress
from bridge.config.listening import MQTT, Key, listeners
from bridge.config.passing import SHORTAGES
from bridge.config.system import Fault, handed_over, whoami

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bridge.config.settings import Settings

_FOR_ROOT = (
    "choose a port from 1024 up, or have systemd open it (a .socket unit) or "
    "allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE)"
)
_ACCEPTS = 0x10000  # __SO_ACCEPTCON, in /proc/net/unix
_LISTENING = "0A"  # in /proc/net/tcp
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an address cannot be listened on now."""

    key: Key
    address: Endpoint
    error: OSError


def troubles(settings: Settings, *, ours: Collection[str] = (), user: int | None = None) -> list[Trouble]:
    """Each address that this user cannot listen on now.

    `ours` are those on which Postbell itself listens; who may not ask it gives the number of the `user` that it runs
    as, and a port which that user has is no trouble. Nor is a socket that the service manager made.
    """
    wanted = [
        (key, address)
        for key, address in listeners(settings)
        if str(address) not in ours and not (isinstance(address, UnixAddress) and handed_over(Path(address.path)))
    ]
    found = [Trouble(key, address, error) for key, address in wanted if (error := _try(address))]
    return [trouble for trouble in found if user is None or not _is_in_use_by(user, trouble)]


def _is_in_use_by(user: int, trouble: Trouble) -> bool:
    """Whether nobody else listens there."""
    if trouble.error.errno != errno.EADDRINUSE or not isinstance(trouble.address, TcpAddress):
        return False
    return {uid for _, uid in _listening(trouble.address.port)} == {user}


def fault(trouble: Trouble) -> Fault:
    """The same in words, with what cures it. What may pass by itself, as a port in use, says so."""
    error, key = trouble.error, trouble.key
    if isinstance(error, socket.gaierror):
        cure = "mend the name, or write the address itself; Postbell tries on until it is known"
        return Fault(key, "no address is known for this name", cure, may_pass=True)
    code = error.errno
    if code is None and isinstance(trouble.address, TcpAddress):
        code = errno.EADDRNOTAVAIL  # asyncio tries all addresses of a name, and then has no number for what it met
    if code == errno.EADDRINUSE:
        return _in_use(key, holder(trouble.address) if isinstance(trouble.address, TcpAddress) else "")
    if code == errno.EADDRNOTAVAIL:
        cure = "write one that it has, if this is none of them; Postbell tries on until it is there"
        return Fault(key, "this machine does not have that address now", cure, may_pass=True)
    if isinstance(trouble.address, UnixAddress):
        return _no_socket_file(key, error, Path(trouble.address.path))
    if code in {errno.EACCES, errno.EPERM}:
        return Fault(key, f"user {whoami()} may not listen there", _FOR_ROOT)
    may_pass = code in SHORTAGES
    cure = "make room for it; Postbell tries on" if may_pass else "choose another address"
    return Fault(key, f"it cannot be listened on: {os.strerror(code or 0)}", cure, may_pass=may_pass)


def _in_use(key: Key, holder: str) -> Fault:
    who = f"another program listens there ({holder})" if holder else "another program listens there"
    if key == MQTT:
        cure = "if that is a broker, as mosquitto, use it: broker.embedded = false and mqtt.url; or choose another port"
        return Fault(key, who, cure, may_pass=True)
    return Fault(key, who, "end it, or choose another address; Postbell tries on until it is free", may_pass=True)


def _no_socket_file(key: Key, error: OSError, path: Path) -> Fault:
    if error.errno == errno.EEXIST:
        return Fault(key, "there is a file that is not a socket", "remove it, or choose another path")
    if error.errno in {errno.EACCES, errno.EPERM}:
        cure = f"give {path.parent} to that user, or have systemd make it (RuntimeDirectory=)"
        return Fault(key, f"user {whoami()} may not make a file in {path.parent}", cure)
    may_pass = error.errno in SHORTAGES
    cure = "make room for it; Postbell tries on" if may_pass else "choose another path"
    return Fault(key, f"no socket can be made there: {error.strerror or error}", cure, may_pass=may_pass)


def _try(address: Endpoint) -> OSError | None:
    try:
        if isinstance(address, UnixAddress):
            _look_for_somebody(Path(address.path))
        else:
            _bind(address)
    except OSError as error:
        return error
    return None


def _look_for_somebody(path: Path) -> None:
    """Raise OSError when somebody listens there. Nobody is called: that could start a service."""
    with suppress(OSError):
        for row in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
            fields = row.split(maxsplit=7)
            if fields[-1] == str(path) and int(fields[3], 16) & _ACCEPTS:
                break
        else:
            return
    if path.exists():
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _bind(address: TcpAddress) -> None:
    for family, kind, protocol, _, place in socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(place)
            probe.listen(1)


def holder(address: TcpAddress) -> str:
    """Who listens on a port, as `mosquitto, process 712`; empty when this user cannot know."""
    inodes = {inode for inode, _ in _listening(address.port)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            links = (str(link.readlink()) for link in (process / "fd").iterdir())
            if any(match and match[1] in inodes for match in map(_SOCKET.fullmatch, links)):
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()}, process {process.name}"
    return ""


def _listening(port: int) -> Iterator[tuple[str, int]]:
    """The inode of each socket that listens on a port, and the number of the user whose it is."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for row in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9], int(fields[7])
