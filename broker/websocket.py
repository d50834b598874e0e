"""A connection over WebSocket: frames in and out, a few at a time, and bounded before anybody has logged in.

The library parses frames, answers pings and closes (its sans-I/O layer); how much of it is done at a time
is decided here. Its own connection takes in what came however much it is, and answers pings without asking
whether anybody reads the answers, so one stranger could keep the loop from everybody else.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from broker.transport import StreamLink

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from websockets.protocol import Event

    from broker.turns import Turns

_SLICE = 1024  # bytes looked at in one turn: at most 170 frames
_FRAMES_OF_A_STRANGER = 1024  # until the password was right
_FRAGMENTS = 1024  # frames of one message
_CLOSE_S = 2.0  # in which a client must take the close, and go


class SocketLink(StreamLink):
    """The byte stream inside the binary frames of a WebSocket; packets need not align [MQTT-6.0.0-2].

    Nothing is read from the network while some of what came waits for its turn. What is written in one step
    of the loop goes out as one frame. `most_unsent` bytes that the client does not take end the connection.
    """

    __slots__ = (
        "_closing", "_fragments", "_frames", "_full", "_late", "_most_unsent", "_over", "_pending", "_pending_size",
        "_turn_asked", "_turns", "_websocket",
    )  # fmt: skip

    def __init__(
        self,
        accepted: Callable[[StreamLink, asyncio.Transport], None],
        *,
        turns: Turns,
        max_size: int,
        most_unsent: int,
    ) -> None:
        super().__init__(accepted)
        # Without the subprotocol `mqtt` the library refuses the handshake [MQTT-6.0.0-3]. No compression: it
        # costs memory for each connection, and small payloads hardly shrink.
        self._websocket = ServerProtocol(subprotocols=[Subprotocol("mqtt")], max_size=max_size)
        self._turns = turns
        self._most_unsent = most_unsent
        self._late = bytearray()  # what came, and has not had its turn
        self._turn_asked = False
        self._full = False  # the reader has enough for the moment
        self._over = False  # nothing more will come
        self._frames = self._fragments = 0
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._closing: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._late += data
        self._transport.pause_reading()
        self._ask_for_turn()

    def eof_received(self) -> bool:
        """See asyncio.Protocol."""
        self._over = True
        self._go_on()
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol. What came before the end is still read."""
        del exc
        self._over = True
        if self._closing is not None:
            self._closing.cancel()
        self._go_on()
        self.resume_writing()

    @property
    def idle(self) -> bool:
        """See Link."""
        return not self._late and super().idle

    @property
    def unsent(self) -> int:
        """Bytes collected here and in the transport's buffer."""
        return self._pending_size + self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Collect what is written until the loop's next step."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(data)
        self._pending_size += len(data)

    def finish(self) -> None:
        """Send what is collected, then begin the closing handshake."""
        self._flush()
        if self._websocket.state is State.OPEN:
            self._websocket.send_close(1000)
        self._send()

    def abort(self) -> None:
        """Close the socket at once."""
        self._late.clear()
        self._transport.abort()

    def _stop_reading(self) -> None:
        self._full = True

    def _go_on_reading(self) -> None:
        self._full = False
        self._go_on()

    def _go_on(self) -> None:
        """Look at what waits, or take more from the network, or tell the reader that it was all."""
        if self._turn_asked or self._full:
            return
        if self._late:
            self._ask_for_turn()
        elif self._over:
            self._websocket.receive_eof()
            self._send()
            self._end()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _ask_for_turn(self) -> None:
        if not self._turn_asked and not self._full:
            self._turn_asked = True
            self._turns.ask(self._step)

    def _step(self) -> int:
        """Take in one slice; returns what it cost."""
        self._turn_asked = False
        piece = bytes(self._late[:_SLICE])
        del self._late[:_SLICE]
        events = self._parse(piece)
        for event in events:
            if isinstance(event, Frame):
                self._take(event)
        self._send()
        if self.unsent > self._most_unsent:
            self._give_up("slow_reader")
        self._go_on()
        return 1 + len(events)

    def _parse(self, piece: bytes) -> list[Event]:
        """The frames in a slice. The request of the handshake is answered before anything behind it is parsed."""
        while piece and self._websocket.state is State.CONNECTING:
            line, end, piece = piece.partition(b"\n")
            self._websocket.receive_data(line + end)
            for event in self._websocket.events_received():
                if isinstance(event, Request):
                    self._answer(event)
        if piece:
            self._websocket.receive_data(piece)
        return self._websocket.events_received()

    def _answer(self, request: Request) -> None:
        try:
            response = self._websocket.accept(request)
        except UnicodeEncodeError:  # the library quotes a header that is not UTF-8 and cannot encode the quotation
            response = self._websocket.reject(HTTPStatus.BAD_REQUEST, "The request has a header that is not UTF-8.\n")
        self._websocket.send_response(response)

    def _take(self, frame: Frame) -> None:
        self._frames += not self.known
        if self._frames > _FRAMES_OF_A_STRANGER:
            self._give_up("too_many_frames")
        elif frame.opcode is Opcode.TEXT:
            self._end()  # [MQTT-6.0.0-1]
        elif frame.opcode in (Opcode.BINARY, Opcode.CONT):
            self._fragments = 0 if frame.fin else self._fragments + 1
            if self._fragments > _FRAGMENTS:
                self._give_up("too_many_frames")
            elif frame.data:
                self._deliver(bytes(frame.data))

    def _give_up(self, fault: str) -> None:
        self.fault = self.fault or fault
        self.abort()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        if data and self._websocket.state is State.OPEN:
            self._websocket.send_binary(data)
            self._send()

    def _send(self) -> None:
        """Hand over what the library has to say, and see that a connection that it closes ends soon."""
        for data in self._websocket.data_to_send():
            if self._transport.is_closing():
                continue
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()
        if self._closing is None and self._websocket.close_expected() and not self._transport.is_closing():
            self._closing = self._loop.call_later(_CLOSE_S, self._transport.abort)
