"""The search for the longest interval over real sockets: a broker, a NAT, and a clock that the test turns."""

from __future__ import annotations

import pytest

from clients.backoff import Backoff
from clients.endpoint import parse_endpoint
from clients.journal.file import Journal
from clients.journal.networks import NetworkMemory
from clients.keepalive import CEILING_S, Keepalive
from clients.login import Login
from clients.session import Session
from tests.support.mqtt_broker import EmbeddedBroker, password_of
from tests.support.silent_nat import DAY_S, HOUR_S, SilentNat
from tests.support.waiting import until

FILTERS = ("mail/alice/msg/+", "mail/alice/box", "mail/alice/re/phone")


@pytest.fixture
def broker(tmp_path):
    broker = EmbeddedBroker(tmp_path)
    broker.logins.add("alice.phone")
    with broker:
        yield broker


class Listening:
    def __init__(self):
        self.reasons = []

    def received(self, topic, payload, *, retained):
        pass

    def connected(self, **_):
        pass

    def subscribing(self):
        pass

    def subscribed(self, _):
        pass

    def unheard(self, _):
        pass

    def disconnected(self, reason, **_):
        self.reasons.append(reason)


class Counting(Keepalive):
    """Knows how much it has heard."""

    packets = 0

    def heard(self, **what):
        self.packets += 1
        super().heard(**what)


class Device:
    """A session behind the NAT, in the test's time."""

    def __init__(self, nat, journal, clock):
        self.nat, self.clock, self.listener, self.pings = nat, clock, Listening(), 0
        self.keepalive = Counting(clock=lambda: clock[0], wall_ms=lambda: int(clock[0] * 1000))
        self.session = Session(
            Login(parse_endpoint(f"mqtt://127.0.0.1:{nat.port}"), "alice.phone", password_of("alice.phone"), CEILING_S),
            filters=FILTERS,
            subscription="",
            listener=self.listener,
            clock=lambda: clock[0],
            asleep=lambda: 0.0,
            backoff=Backoff(jitter=lambda: 0.5),
            keepalive=self.keepalive,
            networks=NetworkMemory(journal, name_of=lambda _: "home"),
        )
        self.connect()

    def steps_until(self, holds):
        until(lambda: self.session.step(0.01) is None or holds(), what="the session")

    def connect(self):
        before = self.keepalive.packets
        self.clock[0] += 1
        self.steps_until(lambda: self.keepalive.packets > before)  # SUBACK is the first that counts

    def live(self, duration_s):
        """Do nothing but what is due."""
        end = self.clock[0] + duration_s
        while self.clock[0] < end:
            lost, swallowed = len(self.listener.reasons), self.nat.swallowed
            self.clock[0] += self.keepalive.due_s + 0.001
            if self.keepalive.waits:
                self.steps_until(lambda lost=lost: len(self.listener.reasons) > lost)
                self.connect()
            else:
                self.pings += 1
                self.session.step(0)
                assert self.keepalive.waits
                self.steps_until(lambda swallowed=swallowed: not self.keepalive.waits or self.nat.swallowed > swallowed)


def test_what_the_network_survives_is_found_remembered_and_found_again(tmp_path, broker):
    clock = [1000.0]
    with (
        SilentNat(broker.address(), clock=lambda: clock[0], forgets_s=600) as nat,
        Journal(tmp_path / "state") as journal,
    ):
        device = Device(nat, journal, clock)
        device.live(DAY_S)
        found = device.keepalive.found
        assert 550 <= found.low_s <= 600
        assert nat.connections <= 1 + 3
        assert device.pings <= 1.15 * DAY_S / 600 + 20
        assert {"no answer to a ping: the network has lost the connection"} == set(device.listener.reasons)
        device.session.close()

        before = nat.connections
        again = Device(nat, journal, clock)
        assert not again.keepalive.found.differs(found)
        again.live(DAY_S)
        assert nat.connections == before + 1, "a known network costs no connection"
        assert again.pings <= 1.15 * DAY_S / 600

        nat.forgets_s = 300
        again.live(6 * HOUR_S)
        assert 255 <= again.keepalive.found.low_s <= 300
        before = nat.connections
        again.live(DAY_S)
        assert nat.connections == before
        again.session.close()
    with Journal(tmp_path / "state") as journal:
        assert not journal.snapshot.networks["home"].differs(again.keepalive.found)


def test_the_embedded_broker_lets_a_device_be_silent_for_as_long_as_it_declares(tmp_path, broker):
    clock = [1000.0]
    with (
        SilentNat(broker.address(), clock=lambda: clock[0], forgets_s=10_000) as nat,
        Journal(tmp_path / "state") as journal,
    ):
        device = Device(nat, journal, clock)
        device.live(12 * HOUR_S)
        assert device.keepalive.found.low_s == 1740
        assert nat.connections == 1
        device.session.close()
