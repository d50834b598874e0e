"""PubSubClient 2.8 as a client for tests, with its limits, and what the Arduino sketch puts around it.

The library reads one packet at a time into its buffer. Of a longer one it forgets the rest, and with it the
packet: no callback, no PUBACK. The others go to the callback, and are acknowledged when it returns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clients.micropython import postbell
from tests.support import mqtt_client as mqtt
from tests.support.system import ROOT
from tests.unit.clients.micropython.test_box import Played

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY_BYTES = 256
"""The buffer that the library has when nobody asks for another."""
_SOURCE = (ROOT / "clients" / "arduino" / "postbell" / "postbell.h").read_text()
SKETCH_BYTES, SKETCH_CEILING_S = (
    int(re.findall(rf"{name} = (\d+)", _SOURCE)[0]) for name in ("BUFFER_BYTES", "CEILING_S")
)
FILTERS = ("mail/alice/msg/+", "mail/alice/box", "mail/alice/re/board")


class PubSubClient:
    """The library: `loop` takes one packet, or gives False when there is none for a moment."""

    def __init__(self, address, *, buffer_bytes: int, callback: Callable[[str, bytes], None]) -> None:
        self._buffer_bytes, self._callback = buffer_bytes, callback
        self.raw = mqtt.Raw(address)
        self.dropped = 0
        self.on_packet: Callable[[mqtt.Packet, bool], None] = lambda _packet, _fits: None

    def connect(self, client_id, username, password, keepalive_s):
        self.raw.send(mqtt.connect(client_id, username=username, password=password, clean=False, keepalive=keepalive_s))
        connack = self.raw.expect(mqtt.CONNACK)
        self.on_packet(connack, True)
        assert connack.body[1] == 0

    def loop(self) -> bool:
        try:
            packet = self.raw.receive(0.5)
        except TimeoutError:
            return False
        assert packet is not None, "the broker closed the connection"
        fits = len(mqtt.packet(packet.kind, packet.body)) <= self._buffer_bytes
        self.on_packet(packet, fits)
        if not fits:
            self.dropped += 1
        elif packet.kind == mqtt.PUBLISH:
            self._callback(packet.topic, packet.payload)
            if packet.qos == 1:
                self.raw.send(mqtt.puback(packet.packet_id))
        return True


class Sketch:
    """The sketch: the library with its buffer, the tap that sees what the library hides, and the box."""

    def __init__(self, address, username, password, *, confirmed: bool) -> None:
        self.played = Played()
        self.confirmed = confirmed
        self.subscribed: list[tuple[str, ...]] = []
        self._retained = self._present = False
        self.library = PubSubClient(address, buffer_bytes=SKETCH_BYTES, callback=self._received)
        self.library.on_packet = self._tap
        self.library.connect(username.replace(".", ":"), username, password, SKETCH_CEILING_S)
        if not (self._present and confirmed):
            self.confirmed = False
            self.played.box.subscribed(0)
            self._subscribe(FILTERS)
        else:
            self._subscribe(FILTERS[1:])

    def run(self, done: Callable[[], bool]) -> None:
        """Loop until it is done; AssertionError if nothing comes any more before that."""
        idle = 0
        while not done():
            idle = 0 if self.library.loop() else idle + 1
            assert idle < 20, "starved"

    def _subscribe(self, filters):
        self.subscribed.append(filters)
        packet_id = 0x8000 + len(self.subscribed)
        self.library.raw.send(mqtt.subscribe(*((each, 1) for each in filters), packet_id=packet_id))

    def _tap(self, packet, fits) -> None:
        if packet.kind == mqtt.CONNACK:
            self._present = bool(packet.body[0])
        elif packet.kind == mqtt.SUBACK:
            assert max(packet.body[2:]) < 128
            self.confirmed = True
        elif packet.kind == mqtt.PUBLISH:
            self._retained = packet.retain
            if not fits:
                self._received(packet.topic, None)
                self.library.raw.send(mqtt.puback(packet.packet_id))

    def _received(self, topic: str, payload: bytes | None) -> None:
        _, what, leaf = postbell.parse_topic("mail", topic)
        if what == "msg":
            self.played.box.header(leaf, payload, self._retained, 0)
        elif what == "box" and payload is not None:
            self.played.box.heard(payload, 0)

    def close(self):
        self.library.raw.close()
