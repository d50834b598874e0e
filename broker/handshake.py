"""The opening handshake of a WebSocket: the request taken in whole, bounded, and judged once (RFC 6455 §4.2). Pure.

The library would take a megabyte of header line by line; here it gets the request in one piece, or never.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.exceptions import InvalidOrigin, InvalidUpgrade, NegotiationError
from websockets.http11 import Request
from websockets.protocol import State

from broker import proxy
from broker.errors import HandshakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.datastructures import Headers
    from websockets.server import ServerProtocol

_SIZE = 16_384  # bytes of a request; browsers send one or two thousand, and cookies
_LINES = 100
_BEGIN, _END = b"GET ", b"\r\n\r\n"
_UNAVAILABLE = {"too_many_clients", "too_many_from_address"}


class Handshake:
    """Collects a request and has `websocket` answer it."""

    __slots__ = ("_head", "_lines", "_refused", "_websocket")

    def __init__(self, websocket: ServerProtocol) -> None:
        self._websocket = websocket
        self._refused: str | None = None
        self._head = bytearray()
        self._lines = 0

    def feed(self, piece: bytes, asked: Callable[[Headers], None] = lambda _: None) -> bytes | None:
        """Take in what came. None while there is more to come, else what came behind the request, whose answer waits.

        `asked` is told the header lines before they are judged, and may raise HandshakeError to have them refused.
        Raises HandshakeError when nothing can come of it; then an answer waits, or there is none.
        """
        looked_at = max(0, len(self._head) - len(_END) + 1)
        self._head += piece
        if not self._head.startswith(_BEGIN[: len(self._head)]):
            raise HandshakeError("proxy_not_listed" if proxy.shows(bytes(self._head)) else "not_a_websocket")
        end = self._head.find(_END, looked_at)
        size = len(self._head) if end < 0 else end + len(_END)
        self._lines = self._lines + piece.count(b"\n") if end < 0 else self._head.count(b"\n", 0, size)
        if size > _SIZE or self._lines > _LINES:
            raise HandshakeError("bad_handshake")
        if end < 0:
            return None
        self._websocket.receive_data(bytes(self._head[:size]))
        for event in self._websocket.events_received():
            if isinstance(event, Request):
                self._answer(event, asked)
        if self._websocket.state is not State.OPEN:
            raise HandshakeError(self._reason())
        return bytes(self._head[size:])

    @property
    def lines(self) -> int:
        """Lines that came so far."""
        return self._lines

    def _answer(self, request: Request, asked: Callable[[Headers], None]) -> None:
        try:
            asked(request.headers)
            response = self._websocket.accept(request)
        except HandshakeError as error:
            self._refused = str(error)
            busy = self._refused in _UNAVAILABLE
            status = HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.BAD_REQUEST
            response = self._websocket.reject(status, f"{self._refused}\n")
        except UnicodeEncodeError:  # the library quotes a header that is not UTF-8 and cannot encode the quotation
            response = self._websocket.reject(HTTPStatus.BAD_REQUEST, "The request has a header that is not UTF-8.\n")
        self._websocket.send_response(response)

    def _reason(self) -> str:
        if self._refused is not None:
            return self._refused
        problem = self._websocket.handshake_exc
        if isinstance(problem, InvalidOrigin):
            return "origin"
        if isinstance(problem, NegotiationError):
            return "no_subprotocol"  # [MQTT-6.0.0-3]
        return "not_a_websocket" if isinstance(problem, InvalidUpgrade) else "bad_handshake"
