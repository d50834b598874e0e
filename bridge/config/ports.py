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
from bridge.config.system import Fault, whoami

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.config.settings import Settings

_LISTENING = "0A"  # in /proc/net/tcp
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an address cannot be listened on now."""

    key: Key
    address: Endpoint
    error: OSError


def troubles(settings: Settings, *, ours: Collection[str] = ()) -> list[Trouble]:
    """Each address that this user cannot listen on now; `ours` are those on which Postbell itself listens."""
    wanted = [(key, address) for key, address in listeners(settings) if str(address) not in ours]
    return [Trouble(key, address, error) for key, address in wanted if (error := _try(address))]


def fault(trouble: Trouble) -> Fault:
    """The same in words, with what cures it."""
    code, address = trouble.error.errno, trouble.address
    if isinstance(trouble.error, socket.gaierror):
        cure = "mend the name, or write the address itself; Postbell tries on until it is known"
        return Fault(trouble.key, "no address is known for this name", cure, may_pass=True)
    if code == errno.EADDRINUSE:
        return _in_use(trouble.key, holder(address) if isinstance(address, TcpAddress) else "")
    if code == errno.EADDRNOTAVAIL:
        cure = 'write one that it has, or "0.0.0.0:port" for all; Postbell tries on until it is there'
        return Fault(trouble.key, "this machine does not have that address now", cure, may_pass=True)
    if code in {errno.EACCES, errno.EPERM}:
        cure = (
            "choose a port from 1024 up, or have systemd open it (a .socket unit) or "
            "allow it (AmbientCapabilities=CAP_NET_BIND_SERVICE)"
        )
        return Fault(trouble.key, f"user {whoami()} may not listen there", cure)
    return Fault(trouble.key, f"it cannot be listened on: {trouble.error.strerror}", "choose another address")


def _in_use(key: Key, holder: str) -> Fault:
    who = f"another program listens there ({holder})" if holder else "another program listens there"
    if key == MQTT:
        cure = "if that is a broker, as mosquitto, use it: broker.embedded = false and mqtt.url; or choose another port"
        return Fault(key, who, cure, may_pass=True)
    return Fault(key, who, "end it, or choose another address; Postbell tries on until it is free", may_pass=True)


def _try(address: Endpoint) -> OSError | None:
    try:
        if isinstance(address, UnixAddress):
            _connect(Path(address.path))
        else:
            _bind(address)
    except OSError as error:
        return error
    return None


def _connect(path: Path) -> None:
    """Raise OSError when somebody listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:  # nobody, or nothing to connect to
            return
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
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for row in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                fields = row.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == address.port:
                    inodes.add(fields[9])
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            links = (str(link.readlink()) for link in (process / "fd").iterdir())
            if any(match and match[1] in inodes for match in map(_SOCKET.fullmatch, links)):
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()}, process {process.name}"
    return ""
