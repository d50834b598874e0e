"""CONNECT, which is read before it is known who speaks: of 3.1 and 3.1.1, and of 5. Pure.

3.1 is the older text. Where it allows what 3.1.1 does not, its clients may do so still: flags in the first byte, a
reserved connect flag, and an end before the login that the flags announce.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import ProtocolError
from broker.wire import properties as props
from broker.wire.fields import BodyReader, BodyReader5
from broker.wire.message import Message
from broker.wire.names import valid_name
from broker.wire.packets import NEVER, V5, V31, Connect, Will
from broker.wire.properties import Bearer
from broker.wire.reasons import Reason

if TYPE_CHECKING:
    from broker.wire.frames import Frame


def connect3(frame: Frame, *, level: int, bridge: bool, at: int) -> Connect:
    """The CONNECT of a client of 3.1 or 3.1.1, whose connect flags are at a place. Raises ProtocolError."""
    if frame.flags and level != V31:
        raise ProtocolError("MQTT-2.2.2-2", f"CONNECT with flags {frame.flags}", Reason.MALFORMED)
    reader = BodyReader(frame.body, at)
    flags, keep_alive = reader.octet(), reader.word()
    if flags & 1 and level != V31:
        raise ProtocolError("MQTT-3.1.2-3", "the reserved flag is set", Reason.MALFORMED)
    if flags & 0xC0 == 0x40:
        raise ProtocolError("MQTT-3.1.2-22", "a password without a username", Reason.MALFORMED)
    client_id = reader.text()
    will = _will3(reader, flags)
    username = password = None
    if flags & 0x80 and not (level == V31 and reader.at == reader.end):
        username = reader.text()
    if flags & 0x40 and not (level == V31 and reader.at == reader.end):
        password = reader.binary()
    reader.finish()
    return Connect(
        level=level,
        client_id=client_id,
        clean_start=bool(flags & 2),
        keep_alive=keep_alive,
        username=username,
        password=password,
        will=will,
        bridge=bridge,
        session_s=0 if flags & 2 else NEVER,
    )


def _will3(reader: BodyReader, flags: int) -> Will | None:
    qos = flags >> 3 & 3
    if not flags & 4:
        if flags & 0x38:
            raise ProtocolError("MQTT-3.1.2-13", "will QoS or will retain without a will", Reason.MALFORMED)
        return None
    if qos == 3:
        raise ProtocolError("MQTT-3.1.2-14", "will QoS 3", Reason.MALFORMED)
    topic, payload = reader.text(), reader.binary()
    if not valid_name(topic):
        raise ProtocolError("MQTT-3.3.2-2", "the will's topic is not a topic name", Reason.MALFORMED)
    return Will(Message(topic, payload, qos), bool(flags & 0x20))


def connect5(frame: Frame, *, at: int) -> Connect:
    """The CONNECT of a client of MQTT 5, whose connect flags are at a place. Raises ProtocolError."""
    if frame.flags:
        raise ProtocolError("MQTT-2.1.3-1", f"CONNECT with flags {frame.flags}", Reason.MALFORMED)
    reader = BodyReader5(frame.body, at)
    flags, keep_alive = reader.octet(), reader.word()
    if flags & 1:
        raise ProtocolError("MQTT-3.1.2-3", "the reserved flag is set", Reason.MALFORMED)
    said = props.read(reader, Bearer.CONNECT).values
    if props.AUTHENTICATION_DATA in said and props.AUTHENTICATION_METHOD not in said:
        raise ProtocolError("MQTT-3.1.2.11.10", "authentication data without a method")
    client_id = reader.text()
    will = _will5(reader, flags)
    username = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    reader.finish()
    return Connect(
        level=V5,
        client_id=client_id,
        clean_start=bool(flags & 2),
        keep_alive=keep_alive,
        username=username,
        password=password,
        will=will,
        session_s=said.get(props.SESSION_EXPIRY, 0),
        receive_maximum=said.get(props.RECEIVE_MAXIMUM, 65_535),
        packet_maximum=said.get(props.PACKET_MAXIMUM, 0),
        alias_maximum=said.get(props.ALIAS_MAXIMUM, 0),
        wants_problems=bool(said.get(props.REQUEST_PROBLEMS, 1)),
        authentication=said.get(props.AUTHENTICATION_METHOD),
    )


def _will5(reader: BodyReader5, flags: int) -> Will | None:
    qos = flags >> 3 & 3
    if not flags & 4:
        if flags & 0x18:
            raise ProtocolError("MQTT-3.1.2-11", "will QoS without a will", Reason.MALFORMED)
        if flags & 0x20:
            raise ProtocolError("MQTT-3.1.2-13", "will retain without a will", Reason.MALFORMED)
        return None
    if qos == 3:
        raise ProtocolError("MQTT-3.1.2-12", "will QoS 3", Reason.MALFORMED)
    about = props.read(reader, Bearer.WILL)
    topic, payload = reader.text(), reader.binary()
    if not valid_name(topic):
        raise ProtocolError("MQTT-3.3.2-2", "the will's topic is not a topic name", Reason.MALFORMED)
    return Will(
        Message(topic, payload, qos, about.forwarded),
        bool(flags & 0x20),
        about.values.get(props.WILL_DELAY, 0),
        about.values.get(props.MESSAGE_EXPIRY),
    )
