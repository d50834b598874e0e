"""A link that counts what goes over it, and a device on it that says exactly what a phone would, over TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.support import mqtt_client as mqtt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SESSION_EXPIRY = b"\x11" + (30 * 86_400).to_bytes(4, "big")
SERVER_KEEP_ALIVE = 0x13
UNSUPPORTED = {1, 0x84}
PATIENCE_S = 60.0
KEEPALIVE_S = 60
"""What apps ask for unless somebody tells them otherwise."""


MSS = 1448
"""Of IPv4 on Ethernet, with timestamps."""
SILENCE_S = 0.25
"""After so long nothing is the answer to what was said before."""


class VersionRefusedError(Exception):
    """The broker does not speak this version of MQTT."""


class Count(NamedTuple):
    """What went over a link."""

    up: int
    """Bytes from the device."""
    down: int
    """Bytes to it."""
    chunks: int
    """The pieces they came in, about a packet each."""
    connections: int
    trips: int
    """How often the device said something after it had heard something, or after a silence: a round trip each."""
    packets: int
    """Segments of TCP both ways, as the kernel counted them at its end, with an MSS as on Ethernet."""

    def __sub__(self, other: Count) -> Count:
        """What came since."""
        return Count(*(now - then for now, then in zip(self, other, strict=True)))


def segments(connection: socket.socket) -> int:
    """How many segments a connection has sent and received: `tcpi_segs_out` and `tcpi_segs_in` of Linux' tcp_info."""
    return sum(struct.unpack_from("II", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), 136))


class CountingLink:
    """Passes bytes on between `port` and the broker, and counts them."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, MSS)
        self._up = self._down = self._chunks = self._trips = 0
        self._near: list[socket.socket] = []
        self._upwards, self._last_at = False, 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for each in (self._server, *self._near):
            each.close()

    def count(self) -> Count:
        """What has passed so far."""
        with self._lock:
            packets = sum(map(segments, self._near))
            return Count(self._up, self._down, self._chunks, len(self._near), self._trips, packets)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                with self._lock:
                    self._near.append(near)  # kept open, so that its packets can be told when it has ended
                    self._upwards = False
                for source, sink, up in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pump, args=(source, sink, up), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:  # noqa: FBT001 - which way it goes
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    self._chunks += 1
                    now, silence_s = time.monotonic(), time.monotonic() - self._last_at
                    self._trips += up and (not self._upwards or silence_s > SILENCE_S)
                    self._upwards, self._last_at = up, now
                    if up:
                        self._up += len(data)
                    else:
                        self._down += len(data)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Device:
    """alice.phone, with a session that stays. `level` is 4 for MQTT 3.1.1 and 5 for 5."""

    def __init__(self, link: CountingLink, authority: Path, *, level: int, password: str) -> None:
        self.session_present = False
        self.server_keepalive: int | None = None
        self._link, self._authority, self._level, self._password = link, authority, level, password
        self._sock: ssl.SSLSocket | None = None
        self._buffer = b""

    def handshake(self) -> Self:
        """TCP and TLS, and no more."""
        context = ssl.create_default_context(cafile=self._authority)
        plain = socket.create_connection(("127.0.0.1", self._link.port), timeout=PATIENCE_S)
        self._sock = context.wrap_socket(plain, server_hostname="localhost")
        return self

    def connect(self) -> Self:
        """CONNECT, and its CONNACK; raises VersionRefusedError."""
        if self._sock is None:
            self.handshake()
        body = mqtt.text("MQTT") + bytes([self._level, 0xC0]) + KEEPALIVE_S.to_bytes(2, "big")
        body += bytes([len(SESSION_EXPIRY)]) + SESSION_EXPIRY if self._level == 5 else b""
        self._send(
            mqtt.packet(mqtt.CONNECT, body + b"".join(map(mqtt.text, ("alice:phone", "alice.phone", self._password))))
        )
        answer = self._packet()
        assert answer.kind == mqtt.CONNACK, answer
        if answer.body[1] in UNSUPPORTED:
            self.close()
            raise VersionRefusedError
        assert answer.body[1] == 0, answer
        self.session_present = bool(answer.body[0])
        place = answer.body.find(SERVER_KEEP_ALIVE, 3) if self._level == 5 else -1
        self.server_keepalive = int.from_bytes(answer.body[place + 1 : place + 3], "big") if place > 0 else None
        return self

    def subscribe(self, filters: Mapping[str, int]) -> None:
        """SUBSCRIBE with QoS 1; each filter with its retain handling, which 3.1.1 does not know."""
        body = b"\x00\x01" + (b"\x00" if self._level == 5 else b"")
        for topic_filter, handling in filters.items():
            body += mqtt.text(topic_filter) + bytes([1 | (handling << 4 if self._level == 5 else 0)])
        self._send(mqtt.packet(mqtt.SUBSCRIBE, body, 2))

    def unsubscribe(self, topic_filter: str) -> None:
        """UNSUBSCRIBE, and its UNSUBACK."""
        self._send(
            mqtt.packet(mqtt.UNSUBSCRIBE, b"\x00\x02" + b"\x00" * (self._level == 5) + mqtt.text(topic_filter), 2)
        )
        answer = self._packet()
        assert answer.kind == mqtt.UNSUBACK, answer

    def receive(self, *, until_topics: int) -> list[str]:
        """Take and acknowledge until so many messages have come; whatever else waits as well. Their topics."""
        topics: list[str] = []
        while len(topics) < until_topics or self._waits():
            came = self._packet()
            if came.kind == mqtt.PUBLISH:
                topics.append(came.topic)
                self._send(mqtt.puback(came.packet_id))
            else:
                assert came.kind == mqtt.SUBACK, came
                assert not any(code & 0x80 for code in came.body[3 if self._level == 5 else 2 :]), came
        return topics

    def ping(self) -> None:
        """PINGREQ, and its PINGRESP."""
        self._send(mqtt.packet(mqtt.PINGREQ))
        answer = self._packet()
        assert answer.kind == mqtt.PINGRESP, answer

    def close(self) -> None:
        """Say goodbye; the session stays."""
        with contextlib.suppress(OSError):
            self._send(mqtt.packet(mqtt.DISCONNECT))
        if self._sock is not None:
            self._sock.close()

    def _waits(self) -> bool:
        """Whether there is a packet already, or a part of one."""
        assert self._sock is not None
        if self._buffer:
            return True
        self._sock.settimeout(0.2)
        try:
            self._buffer = self._sock.recv(65_536)
        except TimeoutError:
            return False
        finally:
            self._sock.settimeout(PATIENCE_S)
        return bool(self._buffer)

    def _send(self, data: bytes) -> None:
        assert self._sock is not None
        self._sock.sendall(data)

    def _packet(self) -> mqtt.Packet:
        while True:
            length, used, shift = 0, 1, 0
            while used < len(self._buffer):
                octet = self._buffer[used]
                length |= (octet & 127) << shift
                used, shift = used + 1, shift + 7
                if octet < 128:
                    if len(self._buffer) < used + length:
                        break
                    head, body = self._buffer[0], self._buffer[used : used + length]
                    self._buffer = self._buffer[used + length :]
                    return mqtt.Packet(head >> 4, head & 15, body)
            assert self._sock is not None
            data = self._sock.recv(65_536)
            if not data:
                raise ConnectionError("the broker has closed the connection")
            self._buffer += data
