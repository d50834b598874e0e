"""Who is turned away: the code, the line in the log with its reason, the count; and no more lines than that."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import structlog

from broker.acl import Identity, Role
from broker.admission import Admission
from broker.credentials import Grant
from broker.errors import LoginsUnavailableError
from broker.reception import Reception
from broker.settings import BrokerLimits
from broker.statistics import Statistics
from broker.terms import least_packet
from broker.turns import STEP, Turns
from broker.wire import codec
from broker.wire.packets import NEVER, Connect, Terms
from broker.wire.reasons import Reason
from tests.support import mqtt_client as mqtt
from tests.support import mqtt_client5 as mqtt5

GRANT = Grant(Identity("alice.phone", Role.DEVICE), b"key")


class Said:
    """A link on which all was said already."""

    def __init__(self, *chunks, fault=None, refusal=None):
        self._chunks = list(chunks)
        self.known = False
        self.address = "192.0.2.1"
        self.excess = None
        self.fault = fault
        self.refusal = refusal
        self.written = b""
        self.finished = False

    async def chunk(self):
        return self._chunks.pop(0) if self._chunks else b""

    def write(self, data):
        self.written += data

    def finish(self):
        self.finished = True


class Knows:
    """Logins with one right password, or none that could be read."""

    def __init__(self, *, readable=True):
        self._readable = readable

    async def check(self, username, password, *, barred):
        del barred
        if not self._readable:
            raise LoginsUnavailableError("not read yet")
        return GRANT if (username, password) == ("alice.phone", "right") else None

    def stands(self, grant):
        return grant == GRANT


def receive(*links, logins=None, **limits):
    """What becomes of links that come one after the other from one address; the log, and the counts."""

    async def story():
        statistics, bounds = Statistics(), BrokerLimits(**limits)
        knows: Any = logins or Knows()
        admission = Admission(
            clients=bounds.clients,
            clients_per_address=bounds.clients_per_address,
            login_failures=bounds.login_failures,
        )
        turns = Turns(asyncio.get_running_loop().call_soon)
        reception = Reception(admission=admission, logins=knows, limits=bounds, statistics=statistics, turns=turns)
        arrivals = []
        for link in links:
            link.excess = reception.enter(link.address)
            arrivals.append(await reception.receive(link))
        assert statistics.connections == len(links)
        for _ in links:
            reception.leave("192.0.2.1")
        assert statistics.connections == len(admission) == 0
        return arrivals, dict(statistics.dropped)

    with structlog.testing.capture_logs() as lines:
        arrivals, dropped = asyncio.run(story())
    return arrivals, lines, dropped


RIGHT = mqtt.connect(username="alice.phone", password="right")


def test_the_right_password_is_let_in_with_what_came_behind_it():
    link = Said(RIGHT[:5], RIGHT[5:] + mqtt.packet(mqtt.PINGREQ))
    [arrival], lines, dropped = receive(link)
    assert arrival.grant == GRANT
    assert arrival.packets.next().kind == mqtt.PINGREQ
    assert (link.known, lines, dropped) == (True, [], {})


@pytest.mark.parametrize(
    ("hello", "code", "reason", "level"),
    [
        (mqtt.connect(level=2), 1, "protocol_version", 2),
        (mqtt.connect(level=4, name="MQIsdp"), 1, "protocol_version", 0),
        (mqtt.connect(level=3, name="MQIsdp"), 5, "no_login", 3),
        (mqtt.connect("", clean=False, username="a", password="b"), 2, "no_client_id", 4),
        (mqtt.connect(), 5, "no_login", 4),
        (mqtt.connect(username="alice.phone"), 5, "no_login", 4),
    ],
)
def test_each_refusal_says_why(hello, code, reason, level):
    link = Said(hello)
    [arrival], [line], dropped = receive(link)
    assert arrival is None
    assert not link.known
    assert link.written == bytes([0x20, 2, 0, code])
    assert link.finished
    assert line == {
        "event": "connection_refused",
        "log_level": "warning",
        "address": "192.0.2.1",
        "reason": reason,
        "protocol_level": level,
    }
    assert dropped == {reason: 1}


@pytest.mark.parametrize("most", [2, 5, 39, 40])
def test_who_takes_no_packet_of_any_size_is_not_let_in(most):
    wish = [(mqtt5.PACKET_MAXIMUM, most)]
    link = Said(mqtt5.connect(username="alice.phone", password="right", having=wish))
    [arrival], lines, _ = receive(link)
    if most == 40:
        assert (arrival.connect.packet_maximum, lines) == (most, [])
        return
    assert (arrival, link.finished, [line["reason"] for line in lines]) == (None, True, ["packet_maximum"])
    assert link.written == (b"" if most == 2 else b"\x20\x03\x00\x95\x00"), "no more than it takes"


@pytest.mark.parametrize("name", ["c", ""])
def test_the_terms_of_who_is_let_in_fit_into_the_least(name):
    hello = Connect(5, name, True, 0, username=f"{'u' * 32}.{'d' * 32}")
    connect = replace(hello, packet_maximum=least_packet(hello))
    told = Terms(
        session_s=NEVER,
        receive_maximum=9,
        packet_maximum=9,
        alias_maximum=9,
        client_id=None if name else hello.username,
        keep_alive=9,
    )
    assert codec.speaking(connect, alias_maximum=9).encode_connack(Reason.SUCCESS, present=True, terms=told)


def test_logins_that_cannot_be_read_are_a_reason_as_well():
    link = Said(RIGHT)
    [arrival], [line], dropped = receive(link, logins=Knows(readable=False))
    assert (arrival, link.written[3], line["reason"], dropped) == (
        None,
        3,
        "logins_unavailable",
        {"logins_unavailable": 1},
    )


@pytest.mark.parametrize(
    ("link", "event", "reason"),
    [
        (Said(b"\xf0\x00"), "protocol_error", "protocol_error"),
        (Said(b"\x10\xff\xff\x7f"), "protocol_error", "protocol_error"),
        (Said(fault="too_many_frames"), "connection_ended", "too_many_frames"),
        (Said(refusal="no_subprotocol"), "connection_refused", "no_subprotocol"),
        (Said(b"PROXY TCP4 192.0.2.9 192.0.2.1 50000 1883\r\n" + RIGHT), "connection_refused", "proxy_not_listed"),
        (Said(b"\r\n\r\n\0\r\nQUIT\n\x21\x11"), "connection_refused", "proxy_not_listed"),
    ],
)
def test_who_does_not_even_get_an_answer_leaves_a_line(link, event, reason):
    [arrival], [line], dropped = receive(link)
    assert (arrival, link.written, line["event"], dropped) == (None, b"", event, {reason: 1})


def test_who_leaves_by_himself_leaves_none():
    assert receive(Said(), Said(RIGHT[:7])) == ([None, None], [], {})


def test_an_address_fills_no_log_and_all_is_counted():
    links = [Said(mqtt.connect(level=2)) if number % 2 else Said(b"\xf0\x00") for number in range(500)]
    arrivals, lines, dropped = receive(*links)
    assert arrivals == [None] * 500
    assert len(lines) == 10
    assert dropped == {"protocol_version": 250, "protocol_error": 250}
    assert Counter(line["event"] for line in lines) == {"connection_refused": 5, "protocol_error": 5}


def test_who_is_one_too_many_is_told_so():
    link = Said(RIGHT)
    arrivals, [line], dropped = receive(Said(RIGHT), link, clients_per_address=1)
    assert arrivals[1] is None
    assert link.written[3] == 3
    assert (line["reason"], line["protocol_level"]) == ("too_many_from_address", 4)
    assert dropped == {"too_many_from_address": 1}


def test_who_is_one_too_many_and_says_nothing_leaves_a_line_as_well():
    _, [line], dropped = receive(Said(RIGHT), Said(), clients_per_address=1)
    assert (line["event"], line["reason"]) == ("connection_refused", "too_many_from_address")
    assert dropped == {"too_many_from_address": 1}


def test_a_wrong_password_says_which_version_was_spoken():
    _, [line], dropped = receive(Said(mqtt.connect(username="alice.phone", password="wrong")))
    assert (line["event"], line["protocol_level"], dropped) == ("login_failed", 4, {"wrong_password": 1})


def test_a_chunk_that_begins_like_a_proxys_header_inside_a_packet_is_none():
    hello = mqtt.connect("PROXY ", username="alice.phone", password="right")
    at = hello.index(b"PROXY ")
    [arrival], lines, _ = receive(Said(hello[:at], hello[at:]))
    assert (arrival.connect.client_id, lines) == ("PROXY ", [])


class Endless(Said):
    """A link on which the same is said for ever; it counts what was taken."""

    def __init__(self, first, again):
        super().__init__(first)
        self._again = again
        self.taken = 0

    async def chunk(self):
        if self._chunks:
            return self._chunks.pop(0)
        self.taken += len(self._again)
        return self._again


def test_of_who_was_refused_little_more_is_taken():
    link = Endless(mqtt.connect(level=2), mqtt.packet(mqtt.PINGREQ) * 1000)
    assert receive(link)[2] == {"protocol_version": 1}
    assert link.taken < 70_000


@pytest.mark.parametrize("hello", [RIGHT, mqtt.connect(level=2)], ids=["before CONNECT", "after a refusal"])
def test_a_stranger_who_sends_byte_by_byte_waits_for_a_turn_each_time(hello):
    """All that one step of the loop takes from a crowd is bounded, however many bytes have come."""

    async def story():
        bounds, knows = BrokerLimits(), Knows()
        turns = Turns(asyncio.get_running_loop().call_soon)
        admission = Admission(clients=10**6, clients_per_address=10**6, login_failures=10**6)
        reception = Reception(admission=admission, logins=knows, limits=bounds, statistics=Statistics(), turns=turns)
        taken = 0

        class Crumbs(Said):
            async def chunk(self):
                nonlocal taken
                taken += 1
                return await super().chunk()

        rest = [b"x"] * 50 if hello is not RIGHT else []
        links: list[Any] = [Crumbs(*(bytes([octet]) for octet in hello), *rest) for _ in range(500)]
        crowd = [asyncio.create_task(reception.receive(link)) for link in links]
        await asyncio.sleep(0)  # all have begun
        most = 0
        while not all(task.done() for task in crowd):
            before = taken
            await asyncio.sleep(0)
            most = max(most, taken - before)
        assert taken >= 500 * len(hello)
        return most

    assert 0 < asyncio.run(story()) <= STEP
