"""Several commands, one connection: a watcher passes on the requests of others on the same machine.

A login has one MQTT connection, and a second one would push the first out. So whoever holds the
lock of a device's state also listens on a UNIX socket beside it; packets are requests one way and
replies the other, as they are in MQTT. Whatever does not fit in a buffer is dropped: the other
side asks again, as it would over a lossy link.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Self

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKET_BYTES = 128 * 1024
GUESTS = 8
"""How many commands may share the connection at a time."""
_ADDRESS_BYTES = 100


def relay_path(state: Path) -> Path:
    """Where the relay of a state file is."""
    return state.with_name(state.name + ".sock")


class Relay:
    """The watcher's end. Use as a context; where sockets of this kind do not exist it is idle."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener: socket.socket | None = None
        self._guests: dict[int, socket.socket] = {}
        self._askers: dict[int, int] = {}

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener.setblocking(False)
            with _address(self._path) as address:
                listener.bind(address)
            self._path.chmod(0o600)
            listener.listen(GUESTS)
            self._listener = listener
        return self

    def __exit__(self, *_exception: object) -> None:
        for sock in (*self._guests.values(), self._listener):
            if sock is not None:
                sock.close()
        self._path.unlink(missing_ok=True)

    def filenos(self) -> list[int]:
        """The descriptors to wait on."""
        return [*([] if self._listener is None else [self._listener.fileno()]), *self._guests]

    def requests(self, ready: list[int]) -> list[bytes]:
        """The requests to publish, from those of the descriptors that can be read."""
        if self._listener is not None and self._listener.fileno() in ready:
            self._admit(self._listener)
        requests = []
        for fileno in self._guests.keys() & set(ready):
            try:
                packet = self._guests[fileno].recv(PACKET_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                packet = b""
            if not packet:
                self._dismiss(fileno)
            elif (request_id := _request_id(packet)) is not None:
                self._askers[request_id] = fileno
                requests.append(packet)
        return requests

    def reply(self, request_id: int, payload: bytes) -> bool:
        """Pass a reply on to whoever asked; whether it was a guest."""
        guest = self._guests.get(self._askers.get(request_id, -1))
        if guest is None:
            return False
        with contextlib.suppress(OSError):
            guest.send(payload)
        return True

    def _admit(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            guest, _ = listener.accept()
            guest.setblocking(False)
            if len(self._guests) >= GUESTS:
                guest.close()
            else:
                self._guests[guest.fileno()] = guest

    def _dismiss(self, fileno: int) -> None:
        self._guests.pop(fileno).close()
        self._askers = {asked: asker for asked, asker in self._askers.items() if asker != fileno}


def join(path: Path) -> socket.socket:
    """A connection to the watcher's relay; raises OSError when there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with _address(path) as address:
            sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path as a socket address; a long one by way of its open directory, where /proc exists."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _request_id(packet: bytes) -> int | None:
    try:
        match msgpack.unpackb(packet):
            case [1, int(request_id), *_]:
                return request_id
    except (ValueError, msgpack.UnpackException):
        pass
    return None
