"""Who comes in at once, and who from an address that floods is heard only after a while."""

from __future__ import annotations

import asyncio
import ssl
import time

import pytest

from broker.address import Address
from broker.door import Doors
from broker.listeners import Listener
from broker.transport import TcpLink
from broker.turns import Turns
from broker.writes import Writes


class Desk:
    """Has everybody in, and those of one address wait."""

    def __init__(self, pause_s):
        self.inside, self._pause_s = [], pause_s

    def enter(self, address, *, bounded):
        assert bounded
        self.inside.append(address)

    def leave(self, address):
        self.inside.remove(address)

    def may_tell(self, _address):
        raise AssertionError("there is room")

    def turn_away(self, address, *, reason, error=""):
        raise AssertionError((address, reason, error))

    def pause_s(self, _address):
        return self._pause_s


class Network(asyncio.Transport):
    """A transport that nobody is at the other end of."""

    def __init__(self):
        super().__init__()
        self.reading, self.closed, self.made = True, False, asyncio.Event()

    def get_extra_info(self, _name, default=None):
        del default
        return ("192.0.2.1", 5)

    def set_protocol(self, protocol):
        assert protocol

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def is_closing(self):
        return self.closed

    def abort(self):
        self.closed = True


def come(pause_s, story):
    async def run():
        loop, desk, network = asyncio.get_running_loop(), Desk(pause_s), Network()
        link = TcpLink(lambda *_: network.made.set(), Writes(loop.call_soon))
        doors = Doors(
            desk=desk, turns=Turns(loop.call_soon), tls=None, proxies=(), timeout_s=60, link=lambda _listener: link
        )
        door = doors.door(Listener("mqtt", "listen", Address("127.0.0.1", 0), websocket=False, tls=False))
        door.connection_made(network)
        await story(door, desk, network)

    asyncio.run(run())


def test_usually_everybody_is_heard_at_once():
    async def story(door, desk, network):
        assert door.opened
        assert network.made.is_set()
        assert network.reading
        assert desk.inside == ["192.0.2.1"]

    come(0.0, story)


def test_whoever_comes_from_an_address_that_floods_waits_unheard_and_then_comes_in():
    async def story(door, desk, network):
        assert not door.opened
        await asyncio.sleep(0)
        assert not network.reading
        await asyncio.wait_for(network.made.wait(), 60)
        assert door.opened
        assert network.reading
        assert desk.inside == ["192.0.2.1"]

    come(0.01, story)


@pytest.mark.parametrize("early", [True, False])
def test_whoever_is_gone_by_then_is_counted_out(early):
    async def story(door, desk, network):
        if not early:
            await asyncio.sleep(0)
        door.connection_lost(None)
        network.closed = True
        (task,) = (each for each in asyncio.all_tasks() if each.get_name() == "open-door")
        await task
        assert not door.opened
        assert not network.made.is_set()
        assert desk.inside == []

    come(0.01, story)


# --- TLS ------------------------------------------------------------------------------------------------

TLS_BEGINS = b"\x16\x03\x01"


class Book(Desk):
    """A desk that writes down who was turned away."""

    def __init__(self):
        super().__init__(0.0)
        self.turned_away = []

    def turn_away(self, address, *, reason, error=""):
        self.turned_away.append((address, reason, error))


class Secured(Network):
    """What TLS makes of a network."""

    def get_protocol(self):
        return asyncio.Protocol()


def secure(start_tls, story, *, timeout_s=60):
    """Run a story with somebody who stands at a door with TLS and has begun a handshake; `start_tls` ends it."""

    async def run():
        loop, desk, network = asyncio.get_running_loop(), Book(), Secured()
        loop.start_tls = start_tls
        link = TcpLink(lambda *_: network.made.set(), Writes(loop.call_soon))
        doors = Doors(
            desk=desk,
            turns=Turns(loop.call_soon),
            tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            proxies=(),
            timeout_s=timeout_s,
            link=lambda _listener: link,
        )
        door = doors.door(Listener("mqtts", "listen", Address("127.0.0.1", 0), websocket=False, tls=True))
        door.connection_made(network)
        door.get_buffer(-1)[: len(TLS_BEGINS)] = TLS_BEGINS
        door.buffer_updated(len(TLS_BEGINS))
        (opening,) = (each for each in asyncio.all_tasks() if each.get_name() == "open-door")
        await story(door, desk, network, opening)

    asyncio.run(run())


@pytest.mark.parametrize("lost", [None, "closing"])
def test_whoever_goes_as_the_handshake_ends_is_turned_away_and_counted_out(lost):
    secured = Secured()
    secured.closed = True

    async def start_tls(*_, **__):
        return None if lost is None else secured

    async def story(door, desk, network, opening):
        await opening
        assert not door.opened
        assert not network.made.is_set()
        assert network.closed
        assert desk.turned_away == [("192.0.2.1", "tls_failed", "ended by the client")]
        assert desk.inside == []

    secure(start_tls, story)


def test_whoever_goes_before_the_turn_of_the_handshake_costs_none_and_leaves_no_line():
    async def start_tls(*_, **__):
        raise AssertionError("nobody is there")

    async def story(door, desk, _network, opening):
        await asyncio.sleep(0)  # it asks for its turn
        door.connection_lost(None)
        await opening
        assert not door.opened
        assert (desk.turned_away, desk.inside) == ([], [])

    secure(start_tls, story)


def test_a_deadline_in_the_very_step_in_which_tls_is_there_sends_nobody_away():
    secured = Secured()

    async def start_tls(*_, **__):
        time.sleep(0.02)  # noqa: ASYNC251 - a machine that is busy until the deadline is over
        await asyncio.sleep(0)
        return secured

    async def story(door, desk, network, opening):
        await opening
        assert door.opened
        assert network.made.is_set()
        assert not network.closed
        assert (desk.turned_away, desk.inside) == ([], ["192.0.2.1"])

    secure(start_tls, story, timeout_s=0.01)
