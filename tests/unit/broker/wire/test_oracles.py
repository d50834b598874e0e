"""Other people's encoders and decoders beside ours: amqtt's for 3.1.1, paho's for all three versions.

amqtt serves no byte of the broker any more (docs/decisions/0033-amqtt.md); that two who wrote the standard down apart
from one another agree is worth more than a table of our own.
"""

from __future__ import annotations

import socket

import paho.mqtt.client as paho
import pytest
from amqtt.adapters import BufferReader
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsuback import UnsubackPacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker.wire import codec
from broker.wire.codec3 import BRIDGE_311, CODEC_31, CODEC_311
from broker.wire.message import Message
from broker.wire.names import MAX_LEVELS
from broker.wire.packets import (
    NEVER,
    V5,
    Answer,
    Connect,
    Disconnect,
    Publish,
    Subscribe,
    Terms,
    Unsubscribe,
    Wanted,
    Will,
)
from tests.unit.broker.wire.packets import Entry, frame, of_five, read

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=50)
levels = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="+#/"), max_size=9)
names = st.lists(levels, min_size=1, max_size=MAX_LEVELS).map("/".join).filter(bool)
filters = st.lists(levels | st.just("+"), min_size=1, max_size=9).map("/".join).filter(bool) | names.map("{}/#".format)
octets = st.binary(max_size=300)
packet_ids = st.integers(1, 65_535)
words = st.integers(0, 65_535)
longs = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 268_435_455)  # paho takes no larger ones
flags = st.booleans()
some = settings(deadline=None, max_examples=30)


def by_amqtt(kind, data):
    """What amqtt's decoder of a packet type reads."""
    try:
        kind.from_stream(BufferReader(data)).send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("a buffer never makes its reader wait")


@some
@given(
    texts,
    st.none() | texts,
    st.none() | texts,
    st.none() | st.tuples(names, octets, st.integers(0, 2), flags),
    flags,
    words,
)
def test_amqtt_says_connect(client_id, username, password, will, clean, keep_alive):  # noqa: PLR0917
    header, payload = ConnectVariableHeader(keep_alive=keep_alive), ConnectPayload(client_id)
    header.clean_session_flag = clean
    if username is not None:
        header.username_flag, payload.username = True, username
        if password is not None:
            header.password_flag, payload.password = True, password
    if will is not None:
        header.will_flag, header.will_qos, header.will_retain_flag = True, will[2], will[3]
        payload.will_topic, payload.will_message = will[0], will[1]
    said = codec.connect(frame(ConnectPacket(variable_header=header, payload=payload).to_bytes()))
    assert said == Connect(
        4,
        client_id,
        clean_start=clean,
        keep_alive=keep_alive,
        username=username,
        password=None if username is None or password is None else password.encode(),
        will=None if will is None else Will(Message(will[0], will[1], will[2]), will[3]),
        session_s=0 if clean else NEVER,
    )


@some
@given(names, octets, st.integers(0, 2), flags, flags, packet_ids)
def test_amqtt_says_publish(topic, payload, qos, retain, dup, packet_id):  # noqa: PLR0917
    number = packet_id if qos else None
    data = PublishPacket.build(topic, payload, number, dup and qos > 0, qos, retain).to_bytes()
    wanted = Publish(Message(topic, payload, qos), retain, number or 0, dup=dup and qos > 0)
    for speaks in (CODEC_31, CODEC_311):
        assert read(data, speaks) == wanted


@some
@given(st.lists(st.tuples(filters, st.integers(0, 2)), min_size=1, max_size=9), packet_ids)
def test_amqtt_says_subscribe_and_unsubscribe(wanted, packet_id):
    data = SubscribePacket.build(wanted, packet_id).to_bytes()
    assert read(data, CODEC_311) == Subscribe(packet_id, tuple(Wanted(*each) for each in wanted))
    data = UnsubscribePacket.build([each for each, _ in wanted], packet_id).to_bytes()
    assert read(data, CODEC_311) == Unsubscribe(packet_id, tuple(each for each, _ in wanted))


@some
@given(packet_ids)
def test_amqtt_says_puback(packet_id):
    assert read(PubackPacket.build(packet_id).to_bytes(), CODEC_311) == Answer(packet_id)


@some
@given(names, octets, st.integers(0, 1), flags, flags, packet_ids)
def test_amqtt_reads_a_publish(topic, payload, qos, retain, sent, packet_id):  # noqa: PLR0917
    number = packet_id if qos else 0
    entry = Entry(Message(topic, payload, qos), qos, number, retain, sent)
    found = by_amqtt(PublishPacket, CODEC_311.encode_publish(entry, now=0.0))
    assert (found.topic_name, bytes(found.data or b""), found.qos) == (topic, payload, qos)
    assert (found.retain_flag, found.dup_flag, found.packet_id or 0) == (retain, sent and qos > 0, number)


@some
@given(packet_ids, st.lists(st.sampled_from([0, 1, 0x80, 0x87, 0x97]), min_size=1, max_size=300))
def test_amqtt_reads_answers(packet_id, codes):
    found = by_amqtt(SubackPacket, CODEC_311.encode_suback(packet_id, codes))
    assert (found.variable_header.packet_id, found.payload.return_codes) == (
        packet_id,
        [min(code, 0x80) for code in codes],
    )
    assert by_amqtt(UnsubackPacket, CODEC_311.encode_unsuback(packet_id, codes)).variable_header.packet_id == packet_id
    assert by_amqtt(PubackPacket, CODEC_311.encode_puback(packet_id, 0x87)).variable_header.packet_id == packet_id


@pytest.mark.parametrize(("code", "present", "told"), [(0, True, (0, 1)), (0, False, (0, 0)), (0x86, True, (4, 0))])
def test_amqtt_reads_a_connack(code, present, told):
    found = by_amqtt(ConnackPacket, CODEC_311.encode_connack(code, present=present, terms=Terms()))
    assert (found.return_code, found.session_parent) == told


class Client(paho.Client):
    """A client of paho's whose packets go nowhere but here."""

    def __init__(self, protocol, **options):
        super().__init__(CallbackAPIVersion.VERSION2, protocol=protocol, **options)
        self.said = []
        self._sock = socket.socket()

    def _packet_queue(self, command, packet, mid, qos, info=None):  # noqa: ARG002
        self.said.append(bytes(packet))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _send_pingreq(self):
        raise AssertionError("nobody asked for it")

    def take(self):
        self._sock.close()
        (data,) = self.said
        return data


@pytest.mark.parametrize(("protocol", "speaks"), [(paho.MQTTv31, CODEC_31), (paho.MQTTv311, CODEC_311)])
def test_paho_speaks_older_versions(protocol, speaks):
    client = Client(protocol, client_id="id", clean_session=False)
    client.username_pw_set("u", "p")
    client.will_set("w/t", b"gone", 1, retain=True)
    client._send_connect(7)
    assert codec.connect(frame(client.take())) == Connect(
        speaks.level,
        "id",
        clean_start=False,
        keep_alive=7,
        username="u",
        password=b"p",
        will=Will(Message("w/t", b"gone", 1), True),
        session_s=NEVER,
    )
    client = Client(protocol, client_id="id")
    client._send_publish(77, b"t", b"x", 1, True, True)
    assert read(client.take(), speaks) == Publish(Message("t", b"x", 1), retain=True, packet_id=77, dup=True)
    client = Client(protocol, client_id="id")
    client._send_subscribe(protocol == paho.MQTTv31, [(b"a/#", 1), (b"b", 0)])
    assert read(client.take(), speaks) == Subscribe(1, (Wanted("a/#", 1), Wanted("b", 0)))
    client = Client(protocol, client_id="id")
    client._send_unsubscribe(False, [b"a/#", b"b"])
    assert read(client.take(), speaks) == Unsubscribe(1, ("a/#", "b"))
    client = Client(protocol, client_id="id")
    client._send_disconnect()
    assert read(client.take(), speaks) == Disconnect()


def test_paho_is_a_bridge():
    client = Client(paho.MQTTv311, client_id="id")
    client.enable_bridge_mode()
    client._send_connect(7)
    said = codec.connect(frame(client.take()))
    assert (said.level, said.bridge) == (4, True)
    assert codec.speaking(said, alias_maximum=8) is BRIDGE_311


def properties(kind, **values):
    told = Properties(kind)
    for name, value in values.items():
        setattr(told, name, value)
    return told


def length(data):
    """How many bytes follow, as properties begin with it."""
    return VariableByteIntegers.encode(len(data))


def packed(told):
    """Properties as paho writes them, without their length."""
    data = told.pack()
    return data[VariableByteIntegers.decode(data)[1] :]


pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=5)


@some
@given(names, octets, st.integers(0, 2), flags, packet_ids, st.integers(0, 1), longs, texts, names, octets, pairs)
def test_paho_says_publish_in_mqtt_5(topic, payload, qos, retain, packet_id, form, expiry, kind, reply, data, pairs):  # noqa: PLR0917
    about = properties(
        PacketTypes.PUBLISH,
        PayloadFormatIndicator=form,
        MessageExpiryInterval=expiry,
        ContentType=kind,
        ResponseTopic=reply,
        CorrelationData=data,
        UserProperty=pairs,
    )
    client = Client(paho.MQTTv5, client_id="id")
    client._send_publish(packet_id, topic.encode(), payload, qos, retain, False, properties=about)
    found = read(client.take(), of_five())
    assert (found.message.topic, found.message.payload, found.message.qos) == (topic, payload, qos)
    assert (found.retain, found.packet_id, found.expiry_s) == (retain, packet_id if qos else 0, expiry)
    kept = Properties(PacketTypes.PUBLISH)
    kept.unpack(length(found.message.properties) + found.message.properties)
    del about.MessageExpiryInterval
    assert kept.json() == about.json()


@some
@given(longs, st.integers(1, 65_535), sizes, words, flags, flags, pairs, longs, names, octets, pairs)
def test_paho_says_connect_in_mqtt_5(  # noqa: PLR0917
    session, receive, size, aliases, problems, respond, pairs, delay, topic, payload, theirs
):
    client = Client(paho.MQTTv5, client_id="id")
    client._clean_start = False
    client._connect_properties = properties(
        PacketTypes.CONNECT,
        SessionExpiryInterval=session,
        ReceiveMaximum=receive,
        MaximumPacketSize=size,
        TopicAliasMaximum=aliases,
        RequestProblemInformation=int(problems),
        RequestResponseInformation=int(respond),
        UserProperty=pairs,
        AuthenticationMethod="m",
        AuthenticationData=b"\xff",
    )
    about = properties(
        PacketTypes.WILLMESSAGE, WillDelayInterval=delay, MessageExpiryInterval=delay, UserProperty=theirs
    )
    client.will_set(topic, payload, 1, retain=True, properties=about)
    client._send_connect(7)
    said = codec.connect(frame(client.take()))
    kept = packed(properties(PacketTypes.WILLMESSAGE, UserProperty=theirs))
    assert said == Connect(
        V5,
        "id",
        clean_start=False,
        keep_alive=7,
        will=Will(Message(topic, payload, 1, kept), True, delay, delay),
        session_s=session,
        receive_maximum=receive,
        packet_maximum=size,
        alias_maximum=aliases,
        wants_problems=problems,
        authentication="m",
    )


options = st.builds(SubscribeOptions, st.integers(0, 2), flags, flags, st.integers(0, 2))


@some
@given(st.lists(st.tuples(filters, options), min_size=1, max_size=9), st.integers(1, 268_435_455), pairs)
def test_paho_says_subscribe_and_unsubscribe_in_mqtt_5(wanted, identifier, pairs):
    client = Client(paho.MQTTv5, client_id="id")
    about = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier, UserProperty=pairs)
    client._send_subscribe(False, [(each.encode(), how) for each, how in wanted], about)
    assert read(client.take(), of_five()) == Subscribe(
        1, tuple(Wanted(each, how.pack()[0], identifier) for each, how in wanted)
    )
    client = Client(paho.MQTTv5, client_id="id")
    about = properties(PacketTypes.UNSUBSCRIBE, UserProperty=pairs)
    client._send_unsubscribe(False, [each.encode() for each, _ in wanted], about)
    assert read(client.take(), of_five()) == Unsubscribe(1, tuple(each for each, _ in wanted))


@some
@given(longs, texts, pairs)
def test_paho_says_goodbye_in_mqtt_5(session, reason, pairs):
    client = Client(paho.MQTTv5, client_id="id")
    about = properties(PacketTypes.DISCONNECT, SessionExpiryInterval=session, ReasonString=reason, UserProperty=pairs)
    client._send_disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=4), about)
    assert read(client.take(), of_five(session_s=1)) == Disconnect(4, session)


@some
@given(longs, st.integers(1, 65_535), sizes, words, texts, words)
def test_paho_reads_a_connack_of_mqtt_5(session, receive, size, aliases, client_id, keep_alive):  # noqa: PLR0917
    terms = Terms(session, receive, size, aliases, client_id, keep_alive)
    body = frame(of_five().encode_connack(0, present=True, terms=terms)).body
    found = Properties(PacketTypes.CONNACK)
    told, _ = found.unpack(body[2:])
    assert (told.SessionExpiryInterval, told.ReceiveMaximum, told.MaximumPacketSize) == (session, receive, size)
    assert (told.TopicAliasMaximum, told.AssignedClientIdentifier) == (aliases, client_id)
    assert (told.ServerKeepAlive, told.SharedSubscriptionAvailable) == (keep_alive, 0)


@some
@given(names, octets, st.lists(st.integers(1, 268_435_455), max_size=5), st.integers(1, 2**32 - 1), pairs)
def test_paho_reads_a_publish_of_mqtt_5(topic, payload, ids, left, pairs):
    kept = packed(properties(PacketTypes.PUBLISH, UserProperty=pairs))
    data = of_five().encode_publish(Entry(Message(topic, payload, 0, kept, float(left)), ids=tuple(ids)), now=0.0)
    body = frame(data).body
    start = 2 + len(topic.encode())
    found = Properties(PacketTypes.PUBLISH)
    told, size = found.unpack(body[start:])
    assert (told.UserProperty, told.MessageExpiryInterval) == (pairs, left)
    assert getattr(told, "SubscriptionIdentifier", []) == ids
    assert body[start + size :] == payload
