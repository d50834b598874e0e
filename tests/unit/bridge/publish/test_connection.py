"""What waits for the broker's word can be ended at any moment; what the broker takes no more of, waits or fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from paho.mqtt.client import DisconnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from bridge.errors import LinkDownError, PublishRefusedError
from bridge.publish.connection import BrokerConnection
from bridge.publish.granted import Granted
from bridge.publish.packets import Acknowledgement
from bridge.publish.properties import named


class Client:
    """Takes what paho takes, and answers when it is told to."""

    on_subscribe: Any
    on_unsubscribe: Any

    def subscribe(self, _filters):
        return 0, 7

    def unsubscribe(self, _filters):
        return 0, 7


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
def test_a_cancellation_at_the_moment_of_the_answer_is_not_swallowed(verb, turns):
    async def scene():
        client: Any = Client()
        connection = BrokerConnection(client, on_message=lambda _: asyncio.sleep(0))
        words = {"qos": 1} if verb == "subscribe" else {}
        asking = asyncio.create_task(getattr(connection, verb)(["mail/#"], **words))
        await asyncio.sleep(0)
        if verb == "subscribe":
            client.on_subscribe(client, None, 7, [], None)
        else:
            client.on_unsubscribe(client, None, 7)
        for _ in range(turns):
            await asyncio.sleep(0)
        if asking.cancel():
            with pytest.raises(asyncio.CancelledError):
                await asking
        else:
            await asking

    asyncio.run(scene())


class Sending(Client):
    """Takes publishes under the numbers 1, 2, …; `acknowledge` has the broker's PUBACK come."""

    on_acknowledged: Any
    on_disconnect: Any

    def __init__(self, ids=None):
        self.packets: list[bytes] = []
        self.ids = iter(range(1, 100) if ids is None else ids)
        self.there = True

    @property
    def sent(self):
        """The topics, of which each packet here has one of less than 128 bytes."""
        return [packet[4 : 4 + packet[3]].decode() for packet in self.packets]

    def next_id(self):
        return next(self.ids)

    def post(self, packet):
        assert packet[0] == 0x33, "QoS 1, retained"
        if self.there:
            self.packets.append(packet)
        return self.there

    async def acknowledge(self, packet_id, reason=0):
        self.on_acknowledged([Acknowledgement(packet_id, reason)])
        await asyncio.sleep(0)


def publishing(story, **granted):
    async def scene():
        client: Any = Sending()
        connection = BrokerConnection(client, on_message=lambda _: asyncio.sleep(0))
        connection.granted = Granted(**granted)
        await story(client, connection)

    asyncio.run(scene())


def test_no_more_are_in_flight_than_the_broker_takes():
    async def story(client, connection):
        futures = [connection.publish(f"t/{number}", b"x", retain=True) for number in range(5)]
        assert client.sent == ["t/0", "t/1"]
        await client.acknowledge(1)
        assert client.sent == ["t/0", "t/1", "t/2"]
        for mid in (2, 3, 4, 5):
            await client.acknowledge(mid)
        assert [future.done() for future in futures] == [True] * 5
        assert client.sent == [f"t/{number}" for number in range(5)]

    publishing(story, mqtt5=True, receive_maximum=2)


def test_what_waits_for_its_turn_fails_when_the_connection_is_lost():
    async def story(client, connection):
        futures = [connection.publish(f"t/{number}", b"x", retain=True) for number in range(3)]
        reason = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")
        said = named(PacketTypes.DISCONNECT, ReasonString="by another")
        client.on_disconnect(client, None, DisconnectFlags(is_disconnect_packet_from_server=True), reason, said)
        await asyncio.sleep(0)
        for future in futures:
            assert str(future.exception()) == "Session taken over: by another"
            assert isinstance(future.exception(), LinkDownError)
        assert isinstance(connection.publish("t", b"x", retain=True).exception(), LinkDownError)
        assert len(client.sent) == 1

    publishing(story, mqtt5=True, receive_maximum=1)


def test_a_puback_that_says_no_is_no_delivery_and_makes_room():
    async def story(client, connection):
        first = connection.publish("t/0", b"x", retain=True)
        second = connection.publish("t/1", b"x", retain=True)
        await client.acknowledge(1, 0x97)
        assert isinstance(first.exception(), PublishRefusedError)
        assert str(first.exception()) == "Quota exceeded"
        await client.acknowledge(2, 0x10)
        assert second.result() is None

    publishing(story, mqtt5=True, receive_maximum=1)


def test_a_reason_that_nobody_knows_is_told_as_it_came():
    async def story(client, connection):
        refused = connection.publish("t", b"x", retain=True)
        await client.acknowledge(1, 0xFE)
        assert str(refused.exception()) == "reason 0xfe"

    publishing(story, mqtt5=True)


def test_an_identifier_is_not_given_again_while_it_waits_and_what_nobody_waits_for_means_nothing():
    async def story(client, connection):
        client.ids = iter([7, 7, 8, 7])
        first, second = (connection.publish(topic, b"x", retain=True) for topic in "ab")
        await client.acknowledge(9)
        assert [first.done(), second.done()] == [False, False]
        await client.acknowledge(7)
        await client.acknowledge(7)
        assert (first.done(), second.done()) == (True, False)
        third = connection.publish("c", b"x", retain=True)
        third.cancel()
        await client.acknowledge(7)
        assert third.cancelled()
        client.there, client.ids = False, iter([1])
        assert isinstance(connection.publish("d", b"x", retain=True).exception(), LinkDownError)

    publishing(story, mqtt5=True)


def test_a_defect_in_one_that_is_told_is_reported_and_no_harm_to_the_others():
    async def story(client, connection):
        reported, told = [], []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

        def broken(_):
            raise RuntimeError("a defect")

        connection.post("a", b"x", retain=True, expiry_s=None, landed=broken)
        connection.post("b", b"x", retain=True, expiry_s=None, landed=told.append)
        client.on_acknowledged([Acknowledgement(1), Acknowledgement(2)])
        assert [str(error) for error in reported] == ["a defect"]
        assert told == [None]

    publishing(story, mqtt5=True)


def test_what_cannot_be_posted_is_told_behind_it_and_what_waited_when_its_turn_comes():
    async def story(client, connection):
        told = []
        connection.post("t", b"x" * 100, retain=True, expiry_s=None, landed=told.append)
        assert told == []
        await asyncio.sleep(0)
        assert isinstance(told.pop(), PublishRefusedError)
        for topic in "ab":
            connection.post(topic, b"x", retain=True, expiry_s=None, landed=told.append)
        client.there = False
        await client.acknowledge(2)
        assert told[0] is None
        assert isinstance(told[1], LinkDownError)
        assert len(told) == 2

    publishing(story, mqtt5=True, receive_maximum=1, packet_bytes=50)


def test_what_is_larger_than_the_broker_takes_is_not_sent():
    async def story(client, connection):
        large = connection.publish("t", b"x" * 100, retain=True, expiry_s=5)
        assert "and the broker takes 50" in str(large.exception())
        assert isinstance(large.exception(), PublishRefusedError)
        connection.publish("t", b"x" * 37, retain=True, expiry_s=5)
        assert len(client.sent) == 1, "what fits to the byte goes"
        connection.publish("t", b"x" * 38, retain=True, expiry_s=5)
        assert len(client.sent) == 1

    publishing(story, mqtt5=True, packet_bytes=50)


@pytest.mark.parametrize("mqtt5", [True, False])
def test_an_expiry_is_said_on_mqtt_5_alone(mqtt5):
    async def story(client, connection):
        connection.publish("t", b"x", retain=True, expiry_s=60)
        connection.publish("t", b"", retain=True, expiry_s=None)
        first, second = (packet.partition(b"t")[2][2:] for packet in client.packets)
        assert first == (b"\x05\x02\x00\x00\x00\x3cx" if mqtt5 else b"x")
        assert second == (b"\x00" if mqtt5 else b"")

    publishing(story, mqtt5=mqtt5)
