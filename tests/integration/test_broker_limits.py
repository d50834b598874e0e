"""What one client may cost: each bound holds, is logged, and harms nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time

import pytest

from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.processor import processor_ms
from tests.support.waiting import until

CONFIG = """
[limits]
packet = 4096
clients = 12
clients_per_address = 10
connect_timeout = 1
subscriptions = 3
queue = 50
publish_rate = 100
write_buffer = 1024
stall_timeout = 1
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    broker = EmbeddedBroker(tmp_path_factory.mktemp("limits"), config=CONFIG)
    broker.logins.add("bridge", "bridge")
    broker.logins.add_many([f"u{number}.phone" for number in range(20)])
    with broker:
        yield broker


@pytest.fixture(autouse=True)
def undisturbed(running):
    """Each test has a neighbour that must still be served at the end."""
    neighbour = running.client("u19.phone")
    yield
    neighbour.subscribe("mail/u19/#")
    with running.client("bridge") as bridge:
        bridge.send(mqtt.publish("mail/u19/msg/1", b"served", qos=1))
        bridge.expect(mqtt.PUBACK)
    assert [got.payload for got in neighbour.flush()] == [b"served"]
    neighbour.close()


def logged(running, text):
    until(lambda: text in running.logged(), what=f"{text} in the log")


def test_one_connection_too_many_gets_its_answer(running):
    clients = [running.client(f"u{number}.phone") for number in range(9)]
    with mqtt.Raw(running.address()) as late:
        late.send(mqtt.connect(username="u9.phone", password=password_of("u9.phone")))
        assert late.expect(mqtt.CONNACK).body[1] == 3
        assert late.receive() is None
    logged(running, "too_many_from_address")
    for client in clients:
        client.close()

    def let_in():
        with contextlib.suppress(AssertionError):
            running.client("u9.phone").close()
            return True
        return False

    until(let_in, what="one to be let in")


def test_who_never_sends_connect_is_cut_off(running):
    with mqtt.Raw(running.address()) as silent:
        silent.send(b"\x10")
        assert silent.receive() is None
    logged(running, "no_connect")


@pytest.mark.parametrize(
    "data",
    [
        mqtt.publish("mail/u0/do/phone", b"x" * 4096),
        b"\x30\xff\xff\xff\x7f",
        mqtt.packet(mqtt.PUBLISH, b"\x00"),
        mqtt.packet(15),
    ],
)
def test_too_large_and_malformed_packets_end_the_connection(running, data):
    with running.client("u0.phone") as client:
        client.send(data)
        assert client.receive() is None
    logged(running, "protocol_error")


def test_a_stranger_cannot_make_it_hold_much(running):
    with mqtt.Raw(running.address()) as stranger:
        stranger.send(b"\x10\x80\x80\x02" + b"x" * 20_000)
        assert stranger.receive() is None


def test_subscriptions_are_bounded_and_the_rest_still_works(running):
    with running.client("u1.phone") as client:
        assert client.subscribe("mail/u1/a", "mail/u1/b") == [1, 1]
        assert client.subscribe("mail/u1/c", "mail/u1/d") == [1, 0x80]
        assert client.subscribe("mail/u1/a") == [1]
        client.send(mqtt.unsubscribe("mail/u1/a"))
        client.expect(mqtt.UNSUBACK)
        assert client.subscribe("mail/u1/d") == [1]
    logged(running, "too_many_subscriptions")


def test_who_does_not_read_his_mail_is_cut_off(running):
    with running.client("u2.phone", receive_buffer=4096) as deaf:
        deaf.subscribe("mail/u2/#", qos=0)
        with running.client("bridge") as bridge:
            bridge.send(mqtt.publish("mail/u2/event", b"x" * 4000) * 2000)  # more than the kernel's buffers hold
            assert bridge.flush() == []
        logged(running, '"username": "u2.phone", "reason": "slow_reader"')


def test_who_does_not_read_his_answers_is_cut_off(running):
    with running.client("u3.phone", receive_buffer=4096) as deaf:
        deaf.socket.settimeout(60)
        with contextlib.suppress(ConnectionError):
            deaf.send(mqtt.subscribe(("mail/u3/a", 1)) * 150_000)
        logged(running, '"username": "u3.phone", "reason": "slow_reader"')


def test_silence_ends_the_connection_after_one_and_a_half_keepalives(running):
    with running.client("u4.phone", keepalive=1) as client:
        for _ in range(3):
            time.sleep(0.5)
            client.flush()
        assert client.receive(timeout=10) is None
    logged(running, '"keepalive"')


def test_a_device_that_publishes_too_fast_waits_and_loses_nothing(running):
    with running.client("u7.phone", keepalive=1) as eager:
        eager.send(b"".join(mqtt.publish("mail/u7/do/phone", b"x", qos=1, packet_id=n) for n in range(1, 351)))
        assert [eager.expect(mqtt.PUBACK).packet_id for _ in range(350)] == list(range(1, 351))
    assert running.logged().count('"publish_slowed"') == 1


def test_a_flood_of_one_client_leaves_turns_to_others(running):
    """The neighbour's ping is answered while another client pours in packets as fast as it can."""

    async def flood_and_ping():
        reader, writer = await asyncio.open_connection(*running.address())
        writer.write(mqtt.connect("f", username="u5.phone", password=password_of("u5.phone")))
        await reader.readexactly(4)
        drain = asyncio.ensure_future(reader.read(-1))
        good_reader, good_writer = await asyncio.open_connection(*running.address())
        good_writer.write(mqtt.connect("g", username="u6.phone", password=password_of("u6.phone")))
        await good_reader.readexactly(4)
        used = []
        for _ in range(50):
            writer.write(mqtt.publish("mail/u5/do/phone", b"x") * 1000)
            before = processor_ms(running.process.pid)
            good_writer.write(mqtt.packet(mqtt.PINGREQ))
            await good_reader.readexactly(2)
            used.append(processor_ms(running.process.pid) - before)
        drain.cancel()
        for one in (writer, good_writer):
            one.transport.abort()
        return statistics.median(used)

    assert asyncio.run(flood_and_ping()) < 50, "milliseconds of work before the neighbour's turn"
