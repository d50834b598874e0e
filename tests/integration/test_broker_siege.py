"""Who asks for much does not keep the others waiting: an attack beside a good client, counted and not timed.

A good client makes round trips; between two of them the attack goes on. What counts is how many round trips it
gets while the broker does so much of the attack's work: one that did it all at once would let it have one or two.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from broker.wire.frames import Packets
from tests.support import mqtt_client as mqtt
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.processor import processor_ms

USERS = 20
CONFIG = "[broker]\nwebsocket = '127.0.0.1:0'\n"
UPGRADE = (
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
PING, PONG = b"\x89\x80\0\0\0\0", b"\x8a\x00"
EMPTY, FRAGMENT = b"\x82\x80\0\0\0\0", b"\x00\x81\0\0\0\0a"


@pytest.fixture
def running(tmp_path):
    broker = EmbeddedBroker(tmp_path, config=CONFIG)
    broker.logins.add("bridge", "bridge")
    broker.logins.add_many(["good.phone", *(f"u{number}.phone" for number in range(USERS))])
    with broker:
        yield broker


def resident(broker):
    return int(Path(f"/proc/{broker.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Attacker:
    """A connection that is never waited for."""

    def __init__(self, raw):
        self.raw = raw
        raw.socket.setblocking(False)
        self.closed = False

    def send(self, data):
        """How much of it was taken; a connection that was ended takes nothing."""
        try:
            return self.raw.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.closed = True
            return 0

    def receive(self):
        try:
            data = self.raw.socket.recv(1 << 20)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.closed = self.closed or not data
        return data


def websocket(broker, login=None):
    raw = mqtt.Raw(broker.address("websocket"))
    raw.send(UPGRADE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.socket.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101 ")
    if login is not None:
        hello = mqtt.connect(username=login, password=password_of(login))
        raw.send(b"\x82" + bytes([0x80 | len(hello)]) + bytes(4) + hello)
        connack = b""
        while len(connack) < 6:
            connack += raw.socket.recv(6 - len(connack))
        assert connack == b"\x82\x04\x20\x02\x00\x00"
    return Attacker(raw)


def flood_until_cut_off(attacker, blob, *, at_most):
    """Send until the broker ends the connection, or for so many bytes."""
    sent, deadline = 0, time.monotonic() + 60
    while not attacker.closed and sent < at_most and time.monotonic() < deadline:
        sent += attacker.send(blob)
        time.sleep(0.0005)  # the machine may have one core for both
    return attacker.closed


@pytest.mark.parametrize("unit", [PING, EMPTY, FRAGMENT], ids=["pings", "empty messages", "fragments"])
def test_a_stranger_who_floods_frames_is_cut_off(running, unit):
    before = resident(running)
    strangers = [websocket(running) for _ in range(5)]
    for stranger in strangers:
        stranger.send(b"\x02\x80\0\0\0\0" if unit is FRAGMENT else unit)
        assert flood_until_cut_off(stranger, unit * 2000, at_most=100_000_000)
    with running.client("good.phone") as good:
        assert good.flush() == []
    assert resident(running) - before < 20_000_000
    assert '"reason": "too_many_frames"' in running.logged() or unit is FRAGMENT  # which is no CONNECT either


def test_a_login_may_come_in_pieces_and_what_follows_need_not_wait_for_the_answer(running):
    """mqtt.js sends each field of a CONNECT as a frame; the messages behind it are more than a stranger may send."""
    running.logins.add_chosen("slow.phone", "device", Argon2Hasher().hash("chosen"))  # takes a while to look at
    hello = mqtt.connect(username="slow.phone", password="chosen")
    early = [mqtt.publish("mail/slow/do/phone", b"x", qos=1, packet_id=number) for number in range(1, 401)]
    with mqtt.Raw(running.address("websocket")) as raw:
        pieces = [bytes([octet]) for octet in hello] + early
        raw.send(UPGRADE + b"".join(b"\x82" + bytes([0x80 | len(piece)]) + bytes(4) + piece for piece in pieces))
        answer = b""
        while not answer.endswith(mqtt.puback(400)):
            came = raw.socket.recv(65_536)
            assert came, "cut off"
            answer += came
    assert answer.count(b"\x40\x02") >= 400


ENDLESS = {
    "newlines after a bad request": (b"X\r\n", b"\n" * 100_000),
    "header lines": (b"GET / HTTP/1.1\r\n", b"a:b\r\n" * 20_000),
    "one header line": (b"GET / HTTP/1.1\r\nA: ", b"a" * 100_000),
}


@pytest.mark.parametrize("crowd", [1, 100])
@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_a_request_without_an_end_is_given_up(running, begin, more, crowd):
    """By its size, and not by the time for CONNECT; what it costs is the processor's time, not the clock's."""
    with running.client("good.phone") as good:
        before, before_ms = resident(running), processor_ms(running.process.pid)
        strangers = [Attacker(mqtt.Raw(running.address("websocket"))) for _ in range(crowd)]
        for stranger in strangers:
            stranger.send(begin)
        while not all(stranger.closed for stranger in strangers):
            for stranger in strangers:
                stranger.send(more)
                stranger.receive()
            good.flush()
        assert processor_ms(running.process.pid) - before_ms < 1500
        assert resident(running) - before < 10_000_000
    assert '"connection_refused"' in running.logged()
    assert "no_connect" not in running.logged()


def test_who_was_refused_and_goes_on_is_cut_off(running):
    """His packets are not even looked at, or one chunk would hold a hundred thousand of them."""
    with running.client("good.phone") as good:
        before_ms = processor_ms(running.process.pid)
        strangers = [Attacker(mqtt.Raw(running.address())) for _ in range(20)]
        for stranger in strangers:
            stranger.send(mqtt.connect(level=5))
        while not all(stranger.closed for stranger in strangers):
            for stranger in strangers:
                stranger.send(mqtt.packet(mqtt.PINGREQ) * 500_000)
                stranger.receive()
            good.flush()
        assert processor_ms(running.process.pid) - before_ms < 1500


def test_pings_that_are_answered_leave_turns_to_others(running):
    flooder, pongs, trips, wanted = websocket(running, "u0.phone"), 0, 0, 40_000
    with running.client("good.phone") as good:
        while pongs < wanted:
            flooder.send(PING * 10_000)
            good.flush()
            trips += 1
            pongs += len(flooder.receive()) // len(PONG)
            assert not flooder.closed
    assert trips >= 20


def test_who_does_not_read_his_pongs_is_cut_off(running):
    before = resident(running)
    flooder = websocket(running, "u0.phone")
    assert flood_until_cut_off(flooder, (b"\x89\xfd\0\0\0\0" + b"x" * 125) * 500, at_most=200_000_000)
    with running.client("good.phone") as good:
        assert good.flush() == []
    assert "slow_reader" in running.logged()
    assert resident(running) - before < 20_000_000


def keep(broker, count):
    """Let the bridge keep so many messages of each user."""
    with broker.client("bridge") as bridge:
        for user in range(USERS):
            for number in range(count):
                bridge.send(mqtt.publish(f"mail/u{user}/msg/{number:09d}", b"x" * 90, retain=True))
        bridge.flush()


def test_a_packet_with_more_filters_than_anybody_needs_ends_the_connection(running):
    keep(running, 100)
    for packet in (mqtt.subscribe(*[("mail/u0/#", 1)] * 21_000), mqtt.unsubscribe(*["a"] * 80_000)):
        with running.client("u0.phone") as greedy, running.client("good.phone") as good:
            greedy.send(packet)
            assert greedy.receive() is None
            assert good.flush() == []
    assert "limits.subscriptions" in running.logged()


def test_a_packet_with_more_filters_than_a_session_may_have_is_refused_as_a_whole(running):
    with running.client("u0.phone") as greedy, running.client("bridge") as bridge:
        assert greedy.subscribe(*["mail/u0/#"] * 64) == [1] * 64
        assert greedy.subscribe(*["mail/u0/#"] * 65) == [0x80] * 65
        assert bridge.subscribe(*["mail/u0/box"] * 800) == [1] * 800


def test_twenty_devices_that_subscribe_again_and_again_leave_turns_to_others(running):
    keep(running, 50)
    crowd = []
    for user in range(USERS):
        attacker = Attacker(running.client(f"u{user}.phone"))
        crowd.append((attacker, Packets(10**6), mqtt.subscribe((f"mail/u{user}/#", 0))))
    granted, trips, wanted = 0, 0, 3000
    with running.client("good.phone") as good:
        while granted < wanted:
            for attacker, _, packet in crowd:
                attacker.send(packet * 100)
            good.flush()
            trips += 1
            for attacker, packets, _ in crowd:
                packets.feed(attacker.receive())
                while (one := packets.next()) is not None:
                    granted += one.kind == mqtt.SUBACK
                assert not attacker.closed
    assert trips >= 30


def test_whoever_pinged_while_the_broker_stood_still_stays(running):
    punctual = [running.client(f"u{user}.phone", keepalive=2) for user in range(USERS)]
    for client in punctual:
        client.flush()
    assert running.process is not None
    over = threading.Event()

    def ping():
        while not over.wait(0.3):
            for client in punctual:
                with contextlib.suppress(OSError):
                    client.send(mqtt.packet(mqtt.PINGREQ))

    pings = threading.Thread(target=ping)
    pings.start()
    os.kill(running.process.pid, signal.SIGSTOP)
    time.sleep(3.5)  # longer than one and a half keepalives
    os.kill(running.process.pid, signal.SIGCONT)
    time.sleep(0.5)
    over.set()
    pings.join()
    for client in punctual:
        assert all(packet.kind == mqtt.PINGRESP for packet in client.flush())
    assert '"keepalive"' not in running.logged()
