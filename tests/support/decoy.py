"""A server that nobody has a reason to talk to, and that counts whoever does."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Decoy:
    """Listens on a port of its own; `hits` has the first bytes of each connection, also of those that sent none."""

    def __init__(self) -> None:
        self.hits: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                came, _ = self._listener.accept()
                with came:
                    came.settimeout(1)
                    self.hits.append(b"")
                    with contextlib.suppress(OSError):
                        self.hits[-1] = came.recv(200)
                        came.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
