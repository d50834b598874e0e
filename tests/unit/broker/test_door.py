"""Who comes in at once, and who from an address that floods is heard only after a while."""

from __future__ import annotations

import asyncio

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
