"""paho without a thread: the event loop reads and writes for it, in bulk, by paho's interface for other loops.

paho reads a packet in three reads and writes each on its own. Between it and its socket stands one that reads what has
come at once and gathers what is written in a turn of the loop. What each mail needs, a PUBLISH and its PUBACK, goes
past paho (`packets.py`), which has all the rest.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho

from bridge.publish import packets
from bridge.publish.packets import Acknowledgement

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence


READ_BYTES = 65_536


class BulkSocket:
    """A socket, TLS or not, or paho's WebSocket: what paho reads of it and writes to it goes by in bulk.

    It passes everything on until it `gathers`: paho connects in a thread, and waits for what it writes there.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._came = b""
        self._at = 0
        self._waits = bytearray()
        self._broken: OSError | None = None
        self._cut = self._ended = False
        self.gathers = False

    def recv(self, length: int) -> bytes:
        """Up to so many bytes; raises as the socket does, and what broke it while it was written to."""
        if self._at >= len(self._came):
            if self._broken is not None:
                raise self._broken
            self._came, self._at = self._inner.recv(READ_BYTES), 0
        data = self._came[self._at : self._at + length]
        self._at += len(data)
        return data

    def acknowledgements(self) -> list[Acknowledgement]:
        """The PUBACKs that have come before anything else; to be asked only between two packets."""
        if self._at >= len(self._came):
            self._read_on()
        self._cut = False
        found = self._simple()
        while self._came.startswith(packets.PUBACK, self._at):
            try:
                read = packets.acknowledgement(self._came, self._at)
            except packets.NotReadableError:
                break  # paho finds that out as well, and ends the connection
            if read is not None:
                acknowledged, self._at = read
                found.append(acknowledged)
            elif not self._read_on():
                self._cut = True
                break
        return found

    def _simple(self) -> list[Acknowledgement]:
        """Those of the PUBACKs that are as short as one can be, which mostly all of them are."""
        found: list[Acknowledgement] = []
        came, at = self._came, self._at
        last = len(came) - 4
        while at <= last and came.startswith(packets.SIMPLE_PUBACK, at):
            found.append(Acknowledgement(came[at + 2] << 8 | came[at + 3]))
            at += 4
        self._at = at
        return found

    @property
    def for_paho(self) -> bool:
        """Whether there is anything for paho to read: a packet that is no PUBACK, or that there will be no more."""
        return self._ended or self._broken is not None or (self._at < len(self._came) and not self._cut)

    def _read_on(self) -> bool:
        """Read what has come behind what was read already; whether that was anything."""
        try:
            data = self._inner.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            self._broken = error
            return False
        self._ended = not data
        self._came, self._at = self._came[self._at :] + data, 0
        return bool(data)

    def send(self, data: bytes | bytearray) -> int:
        """Take all of it, to be sent by `flush`."""
        if not self.gathers:
            sent: int = self._inner.send(data)
            return sent
        self._waits += data
        return len(data)

    def flush(self) -> bool:
        """Send what was gathered, as far as the socket takes it; whether that was all. What breaks it `recv` raises."""
        try:
            while self._waits:
                sent = self._inner.send(self._waits)
                if not sent:  # of a WebSocket's frame some is left
                    return False
                del self._waits[:sent]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError as error:
            self._broken = error
            self._waits.clear()
        return True

    def pending(self) -> int:
        """Bytes that can be read without the loop saying so. What is there of a PUBACK waits for the rest of it."""
        buffered = 0 if self._cut else len(self._came) - self._at
        return buffered + (self._inner.pending() if hasattr(self._inner, "pending") else 0)

    @property
    def broken(self) -> bool:
        """Whether writing to it failed."""
        return self._broken is not None

    def close(self) -> None:
        """Send what the socket takes at once, and close it."""
        self.flush()
        self._inner.close()

    def fileno(self) -> int:
        """The socket's descriptor."""
        number: int = self._inner.fileno()
        return number

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as a socket has it
        """As of the socket."""
        self._inner.setblocking(flag)


class DrivenClient(paho.Client):
    """A paho client that an event loop drives from `attach` on, once it has dialled, until its connection ends.

    `on_acknowledged` gets the PUBACKs of what was published by `post`, of which paho knows nothing.
    """

    on_acknowledged: Callable[[Sequence[Acknowledgement]], None] = staticmethod(lambda _: None)

    @property
    def between_packets(self) -> bool:
        """Whether what comes next is the beginning of a packet."""
        return self._in_packet["command"] == 0

    def next_id(self) -> int:
        """A packet identifier, of the same row as paho's own."""
        return self._mid_generate()

    def post(self, packet: bytes) -> bool:
        """Send a packet of our own at the end of this turn; whether there is a connection."""
        if self._sock is None:
            return False
        self._sock.send(packet)
        self._call_socket_register_write()
        return True

    def _create_socket(self) -> Any:
        return BulkSocket(super()._create_socket())

    def _create_socket_connection(self) -> socket.socket:
        """One that sends at once: what is written in a turn goes out together, and what follows waits for no answer."""
        connection: socket.socket = super()._create_socket_connection()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def attach(self, loop: asyncio.AbstractEventLoop, *, look_s: float) -> None:
        """Read and write on this loop, and look each `look_s` seconds whether the other side is still there."""
        sock = self.socket()
        if isinstance(sock, BulkSocket):
            _Drive(self, sock, loop, look_s=look_s)


class _Drive:
    """One connection of a client on the loop."""

    def __init__(
        self, client: DrivenClient, sock: BulkSocket, loop: asyncio.AbstractEventLoop, *, look_s: float
    ) -> None:
        self._client, self._sock, self._loop, self._look_s = client, sock, loop, look_s
        self._open, self._turn, self._writes = True, False, False
        sock.gathers = True
        client.on_socket_register_write = lambda *_: self._write_soon()
        client.on_socket_close = lambda *_: self._closed()
        loop.add_reader(sock.fileno(), self._read)
        self._timer = loop.call_later(look_s, self._look)
        self._write_soon()
        if sock.pending():
            loop.call_soon(self._read)

    def _read(self) -> None:
        """Have paho handle some of what has come; the rest in the next turn, so that nobody waits for a long replay."""
        if not self._open:
            return
        if self._client.between_packets:
            acknowledged = self._sock.acknowledgements()
            if acknowledged:
                self._client.on_acknowledged(acknowledged)
            if not (self._open and self._sock.for_paho):
                return
        self._client.loop_read()
        if self._open and self._sock.pending():
            self._loop.call_soon(self._read)

    def _write_soon(self) -> None:
        """At the end of this turn, with all else that is written in it."""
        if self._open and not self._turn:
            self._turn = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._turn = False
        if not self._open:
            return
        self._client.loop_write()
        if self._open:
            self._flush()

    def _flush(self) -> None:
        done = self._sock.flush()
        if done == self._writes:  # there is more and nobody waits for room, or the other way round
            self._writes = not done
            if done:
                self._loop.remove_writer(self._sock.fileno())
            else:
                self._loop.add_writer(self._sock.fileno(), self._flush)
        if self._sock.broken:
            self._client.loop_read()  # which meets it, and says so

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._look_s, self._look)
        self._client.loop_misc()

    def _closed(self) -> None:
        if not self._open:
            return
        self._open = False
        self._timer.cancel()
        number = self._sock.fileno()
        self._loop.remove_reader(number)
        if self._writes:
            self._loop.remove_writer(number)
