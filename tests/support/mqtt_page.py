"""A page's MQTT: the raw client of tests over the WebSocket of a web server, as a browser opens it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.mqtt_client import Raw
from tests.support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection


class _Socket:
    """As much of a socket as the raw client uses."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._timeout = PATIENCE_S

    def settimeout(self, timeout: float) -> None:
        self._timeout = max(timeout, PATIENCE_S)

    def sendall(self, data: bytes) -> None:
        self._connection.send(data)

    def recv(self, _size: int) -> bytes:
        try:
            received = self._connection.recv(self._timeout)
        except ConnectionClosed:
            return b""
        assert isinstance(received, bytes)
        return received

    def close(self) -> None:
        self._connection.close()


class PageMqtt(Raw):
    """MQTT 3.1.1 as a page speaks it. `closed` is the code with which the server ended, once it has."""

    def __init__(self, url: str, **options: Any) -> None:
        self.connection = connect(url, subprotocols=["mqtt"], compression=None, max_size=None, **options)  # type: ignore[list-item]
        self.socket = _Socket(self.connection)  # type: ignore[assignment]
        self._buffer = b""

    @property
    def closed(self) -> int | None:
        with contextlib.suppress(ConnectionClosed):
            self.connection.recv(PATIENCE_S)
        return self.connection.close_code
