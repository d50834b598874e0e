"""Listening sockets that the service manager opened before it started this process, and hands over.

The protocol is systemd's (sd_listen_fds(3)): `LISTEN_FDS` descriptors from 3 up, meant for the process `LISTEN_PID`.
"""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import PurePath
from typing import TYPE_CHECKING, Self

import structlog

from bridge.config.endpoints import Endpoint, TcpAddress, UnixAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

FIRST = 3
"""The first descriptor that is handed over, SD_LISTEN_FDS_START."""
NAMES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")

log = structlog.get_logger()


class HandedSockets:
    """The sockets by their addresses. They stay open as long as this process lives, so each can be taken again."""

    def __init__(self, sockets: Iterable[socket.socket] = ()) -> None:
        self._by_address = {address: each for each in sockets if (address := _address(each)) is not None}

    @classmethod
    def of(cls, environment: MutableMapping[str, str], *, pid: int) -> Self:
        """Those that are meant for this process. What is said of them is taken out of the environment."""
        meant_for, count, names = (environment.pop(name, "") for name in NAMES)
        if meant_for != str(pid) or not count.isdecimal():
            return cls()
        named = dict(enumerate(names.split(":"), FIRST)) if names else {}
        sockets = (_opened(number, named.get(number, "")) for number in range(FIRST, FIRST + int(count)))
        return cls(each for each in sockets if each is not None)

    def take(self, address: Endpoint) -> socket.socket | None:
        """A copy of the socket that listens at exactly this address; None when there is none."""
        found = self._by_address.get(_comparable(address))
        return None if found is None else found.dup()

    def warn_of_others(self, listening: Iterable[Endpoint | None]) -> None:
        """Log each socket at which nobody answers, since it is the address of no listener."""
        used = {_comparable(address) for address in listening if address is not None}
        for address in self._by_address.keys() - used:
            log.warning("handed_socket_unused", address=str(address))


def _opened(descriptor: int, name: str) -> socket.socket | None:
    """The listening stream socket behind a descriptor, which no child inherits; None when it is none, which is told."""
    problem = "is not a listening stream socket"
    try:
        opened = socket.socket(fileno=descriptor)
        opened.set_inheritable(False)
        if opened.type == socket.SOCK_STREAM and opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return opened
        opened.detach()
    except OSError as error:
        problem = error.strerror or problem
    log.warning("handed_socket_unusable", descriptor=descriptor, name=name, reason=problem)
    return None


def _address(listening: socket.socket) -> Endpoint | None:
    """Where a socket listens; None for one of a kind that no listener of ours has."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX and isinstance(name, str) and name:
        return _comparable(UnixAddress(PurePath(name)))
    if listening.family in {socket.AF_INET, socket.AF_INET6}:
        return _comparable(TcpAddress(name[0], name[1]))
    return None


def _comparable(address: Endpoint) -> Endpoint:
    """The address with its IP address written as everybody writes it, and its path without detours over links."""
    if isinstance(address, UnixAddress):
        return UnixAddress(PurePath(os.path.realpath(address.path)))
    try:
        return TcpAddress(ip_address(address.host).compressed, address.port)
    except ValueError:
        return address
