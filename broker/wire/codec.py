"""Packets in and out, as bytes, for all versions: which codec a client needs, and what one can do. Pure.

A packet is read whole, bounded, before anything in it is believed. All takes time in proportion to its bytes, and looks
at no more than it may; what does not add up is a ProtocolError, and nothing else is ever raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from broker.errors import ProtocolError
from broker.wire import codec3, codec5
from broker.wire.connects import connect3, connect5
from broker.wire.fields import BodyReader
from broker.wire.packets import V5, V31, V311, Connect, Terms
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.wire.frames import Frame
    from broker.wire.packets import Answer, Disconnect, Outbound, Publish, Subscribe, Unsubscribe

MOST_FILTERS: Final = 1024
"""Filters of one packet that are read, of whomever they are: more are no honest client's, and end the connection."""

PINGRESP: Final = b"\xd0\x00"

_PUBREL: Final = b"\x62\x02"

_CONNECT: Final = 1
_BRIDGE: Final = 0x80
_LEVELS: Final = {b"MQIsdp": (V31,), b"MQTT": (V311, V5)}


def encode_pubrel(packet_id: int) -> bytes:
    """A PUBREL without a reason, which is the same in all versions."""
    return _PUBREL + packet_id.to_bytes(2, "big")


class Codec(Protocol):
    """What a connection needs of its version. All that read a frame raise ProtocolError.

    A packet that is written is empty where the version has none, or where it is larger than the client takes.
    """

    @property
    def level(self) -> int:
        """The protocol level: 3, 4 or 5."""

    def publish(self, frame: Frame) -> Publish:
        """A PUBLISH. Its message expires at 0 (never): who reads the clock adds `expiry_s`."""

    def subscribe(self, frame: Frame, *, most: int) -> Subscribe:
        """A SUBSCRIBE of at most so many filters; that they are not too deep is not said."""

    def unsubscribe(self, frame: Frame, *, most: int) -> Unsubscribe:
        """An UNSUBSCRIBE of at most so many filters."""

    def answer(self, frame: Frame) -> Answer:
        """A PUBACK, PUBREC, PUBREL or PUBCOMP."""

    def disconnect(self, frame: Frame) -> Disconnect:
        """A DISCONNECT."""

    def ping(self, frame: Frame) -> None:
        """A PINGREQ, which says nothing but that it is one."""

    def encode_publish(self, entry: Outbound, *, now: float) -> bytes:
        """A PUBLISH at a time (epoch seconds), of a message that has not expired.

        It must be sent, or the connection ended: a topic is given a number once, and is its number from then on.
        """

    def encode_puback(self, packet_id: int, code: int = 0) -> bytes:
        """A PUBACK."""

    def encode_pubrec(self, packet_id: int, code: int = 0) -> bytes:
        """A PUBREC."""

    def encode_pubcomp(self, packet_id: int, code: int = 0) -> bytes:
        """A PUBCOMP."""

    def encode_suback(self, packet_id: int, codes: Sequence[int]) -> bytes:
        """A SUBACK with a code for each filter, in order: the QoS, or a Reason from 0x80 on."""

    def encode_unsuback(self, packet_id: int, codes: Sequence[int]) -> bytes:
        """An UNSUBACK with a code for each filter, in order."""

    def encode_disconnect(self, code: int, text: str = "") -> bytes:
        """A DISCONNECT of the server, with a text for people."""

    def encode_connack(self, code: int, *, present: bool, terms: Terms, text: str = "") -> bytes:
        """A CONNACK; terms and a session that is present are only told with success."""


def connect(frame: Frame) -> Connect:
    """Decode a CONNECT of any version. Raises ProtocolError.

    Of a version that is not spoken, nothing but the level is read; name and level that are of no version together have
    level 0. `speaking` has the words to refuse both.
    """
    if frame.kind != _CONNECT:
        raise ProtocolError("MQTT-3.1.0-1", "the first packet is not CONNECT")
    name, level, at = _version(frame)
    levels = _LEVELS.get(name)
    if levels is None:
        raise ProtocolError("MQTT-3.1.2-1", "unknown protocol name", Reason.UNSUPPORTED_VERSION)
    plain, bridge = level & ~_BRIDGE, bool(level & _BRIDGE)
    if plain == V5 and V5 in levels and not bridge:
        return connect5(frame, at=at)
    if plain in levels and plain != V5:
        return connect3(frame, level=plain, bridge=bridge, at=at)
    return Connect(0 if level in {V31, V311, V5} else level, "", clean_start=True, keep_alive=0)


def refusal(frame: Frame, error: ProtocolError) -> bytes:
    """The CONNACK for a first packet that `connect` or a bound has refused; mostly older versions have none."""
    if frame.kind != _CONNECT:
        return b""
    try:
        name, level, _ = _version(frame)
    except ProtocolError:
        return b""
    if name not in _LEVELS:
        return b""
    codec = speaking(Connect(level, "", clean_start=True, keep_alive=0), alias_maximum=0)
    return codec.encode_connack(error.code, present=False, terms=Terms())


def speaking(connect: Connect, *, alias_maximum: int) -> Codec:
    """The codec of a client; of one whose version is not spoken, that which it may understand.

    `alias_maximum` is how many topics it may give numbers to (MQTT 5), as the CONNACK tells it.
    """
    if connect.level == V5 or (connect.level > V5 and not connect.level & _BRIDGE):
        return codec5.Codec5(connect, alias_maximum=alias_maximum)
    if connect.level == V31:
        return codec3.BRIDGE_31 if connect.bridge else codec3.CODEC_31
    return codec3.BRIDGE_311 if connect.bridge else codec3.CODEC_311


def _version(frame: Frame) -> tuple[bytes, int, int]:
    """Protocol name and level, and the place behind them."""
    reader = BodyReader(frame.body)
    return reader.binary(), reader.octet(), reader.at
