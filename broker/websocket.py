"""A connection over WebSocket: frames in and out, a few at a time, and bounded before anybody has logged in.

The library parses frames, answers pings and closes (its sans-I/O layer); how much of it is done at a time
is decided here. Its own connection takes in what came however much it is, and answers pings without asking
whether anybody reads the answers, so one stranger could keep the loop from everybody else.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from broker.errors import HandshakeError
from broker.gone import GONE
from broker.handshake import Handshake
from broker.transport import StreamLink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from websockets.datastructures import Headers

    from broker.turns import Turns
    from broker.writes import Writes

_READ = memoryview(bytearray(16_384))  # where the network's bytes arrive: one for all, since they leave it at once
_SLICE = 256  # bytes looked at in one turn: at most 42 frames,
_SLICE_OF_A_STRANGER = 128  # and until the password was right 21
_FRAME = 2  # units of work (turns.py) that a frame costs, with the pong that it may need
_ANSWER = 32  # units of work (turns.py) that a request costs, beside its lines
_FRAMES_OF_A_STRANGER = 256  # until the password was right; mqtt.js sends a CONNECT in dozens, one for each field
_PINGS_OF_A_STRANGER = 8  # and pongs; he has said nothing yet
_SIZE_OF_A_STRANGER = 32_768  # bytes of one frame, until then
_MOST_THROWN_AWAY = 65_536  # bytes that somebody may still send who was turned away
_FRAGMENTS = 1024  # frames of one message
_SUBPROTOCOLS = [Subprotocol("mqtt"), Subprotocol("mqttv3.1")]  # the latter is asked for by clients older than 3.1.1
_CLOSE_S = 2.0  # in which a client must take the close, and go


class SocketLink(StreamLink, asyncio.BufferedProtocol):
    """The byte stream inside the binary frames of a WebSocket; packets need not align [MQTT-6.0.0-2].

    At most 16 KiB are read from the network, and nothing while some of what came waits for its turn. Of a stranger
    nothing is looked at while what he said before has not been judged. What is written together goes out as one frame.
    `most_unsent` bytes that the client does not take end the connection. Of browsers only pages of
    `origins` are let in, of all if there are none (RFC 6455 §10.2). `asked` is told of the header lines of the request,
    and may refuse it (handshake.py).
    """

    carrier = "websocket"

    __slots__ = (
        "_asked", "_closing", "_fragments", "_frames", "_full", "_handshake", "_late", "_most_unsent", "_over",
        "_pings", "_thrown_away", "_turn_asked", "_turns", "_unframed", "_websocket",
    )  # fmt: skip

    def __init__(
        self,
        accepted: Callable[[StreamLink, asyncio.Transport], None],
        writes: Writes,
        *,
        turns: Turns,
        max_size: int,
        most_unsent: int,
        origins: Sequence[str] = (),
        asked: Callable[[SocketLink, Headers], None] = lambda _link, _headers: None,
    ) -> None:
        super().__init__(accepted, writes)
        # Without one of the subprotocols the library refuses the handshake [MQTT-6.0.0-3]. No compression: it
        # costs memory for each connection, and small payloads hardly shrink.
        self._websocket = ServerProtocol(
            subprotocols=_SUBPROTOCOLS,
            max_size=max_size,
            origins=[*cast("Sequence[Origin]", origins), None] if origins else None,  # None is no browser
        )
        self._handshake: Handshake | None = Handshake(self._websocket)
        self._asked = asked
        self._turns = turns
        self._most_unsent = most_unsent
        self._late = bytearray()  # what came, and has not had its turn
        self._turn_asked = False
        self._full = False  # the reader has enough for the moment
        self._over = False  # nothing more will come
        self._frames = self._pings = self._fragments = 0
        self._unframed = 0  # bytes since the last frame was whole
        self._thrown_away = 0
        self._closing: asyncio.TimerHandle | None = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """See asyncio.BufferedProtocol."""
        del sizehint
        return _READ

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio.BufferedProtocol."""
        self._late += _READ[:nbytes]
        self._transport.pause_reading()
        self._go_on()

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
        self._drop_tracebacks()
        self.resume_writing()
        self._transport = GONE  # uvloop's transport under TLS keeps its protocol's methods

    def chunk(self) -> Awaitable[bytes]:
        """See Link."""
        coming = super().chunk()
        if self._late:
            self._go_on()
        return coming

    @property
    def idle(self) -> bool:
        """See Link."""
        return not self._late and super().idle

    def flush(self) -> None:
        """Hand over what was written, as one frame."""
        data, self._pending = self._pending, b""
        if data and self._websocket.state is State.OPEN:
            self._websocket.send_binary(bytes(data))
            self._send()

    def finish(self) -> None:
        """Send what was written, then begin the closing handshake."""
        self.flush()
        if self._websocket.state is State.OPEN:
            self._websocket.send_close(1000)
        self._send()

    def abort(self) -> None:
        """Close the socket at once; what was written before is given to the system as far as that takes it."""
        self._late.clear()
        super().abort()

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
            if self.known or not self._unheard:
                self._ask_for_turn()
        elif self._over:
            self._websocket.receive_eof()
            self._send()
            self._end()
            self._drop_tracebacks()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def _unheard(self) -> bool:
        """Whether something was delivered after which nobody has asked for more."""
        return bool(self._unread) or (self._reading is not None and self._reading.done())

    def _drop_tracebacks(self) -> None:
        """The library keeps its errors, and these the frames that led to them, which have this connection in them."""
        for error in (self._websocket.handshake_exc, self._websocket.parser_exc):
            kept: BaseException | None = error
            while kept is not None:
                kept.__traceback__ = None
                kept = kept.__cause__ or kept.__context__

    def _ask_for_turn(self) -> None:
        if not self._turn_asked and not self._full:
            self._turn_asked = True
            self._turns.ask(self._step, known=self.known)

    def _step(self) -> int:
        """Take in one slice; returns what it cost."""
        self._turn_asked = False
        size = _SLICE if self.known else _SLICE_OF_A_STRANGER
        piece = bytes(self._late[:size])
        del self._late[:size]
        if self.refusal is not None:
            cost = self._throw_away(piece)
        elif self._handshake is not None:
            cost = self._shake_hands(self._handshake, piece)
        else:
            cost = self._unframe(piece)
        self._send()
        if self.unsent > self._most_unsent:
            self._give_up("slow_reader")
        self._go_on()
        return cost

    def _shake_hands(self, handshake: Handshake, piece: bytes) -> int:
        try:
            rest = handshake.feed(piece, partial(self._asked, self))
        except HandshakeError as error:
            self.refusal = str(error)
            if not self._websocket.close_expected():  # there is no answer to wait for
                self.abort()
            return _ANSWER + handshake.lines
        if rest is None:
            return 1
        self._handshake = None
        return _ANSWER + handshake.lines + (self._unframe(rest) if rest else 0)

    def _throw_away(self, piece: bytes) -> int:
        self._thrown_away += len(piece)
        if self._thrown_away > _MOST_THROWN_AWAY:
            self.abort()
        return 1

    def _unframe(self, piece: bytes) -> int:
        self._websocket.receive_data(piece)
        frames = self._websocket.events_received()
        self._unframed = 0 if frames else self._unframed + len(piece)
        if self._unframed > _SIZE_OF_A_STRANGER and not self.known:
            self._give_up("too_large_frame")
        for frame in frames:
            if isinstance(frame, Frame):
                self._take(frame)
        return _FRAME * (1 + len(frames))

    def _take(self, frame: Frame) -> None:
        if not self.known:
            self._frames += 1
            self._pings += frame.opcode in (Opcode.PING, Opcode.PONG)
        if self._frames > _FRAMES_OF_A_STRANGER or self._pings > _PINGS_OF_A_STRANGER:
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
