"""What stands between paho and its socket: reads and writes in bulk, and what breaks it is told where paho looks."""

from __future__ import annotations

import asyncio
import selectors
import socket
from typing import Any

import pytest
from paho.mqtt.enums import CallbackAPIVersion

from bridge.publish.driven import BulkSocket, DrivenClient


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield BulkSocket(near), far


def test_what_has_come_is_read_at_once_and_given_in_pieces(pair):
    bulk, far = pair
    far.sendall(b"\x40\x02ab")
    assert [bulk.recv(1), bulk.recv(1), bulk.pending(), bulk.recv(9)] == [b"\x40", b"\x02", 2, b"ab"]
    with pytest.raises(BlockingIOError):
        bulk.recv(1)
    far.close()
    assert bulk.recv(1) == b"", "the end"


def test_what_is_written_goes_out_together(pair):
    bulk, far = pair
    bulk.send(b"before, ")
    assert far.recv(99) == b"before, ", "in the thread that connects it goes out as it comes"
    bulk.gathers = True
    for part in (b"one", b"two"):
        assert bulk.send(part) == 3
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(99)
    assert bulk.flush()
    assert far.recv(99) == b"onetwo"


def test_what_the_socket_does_not_take_is_sent_later(pair):
    bulk, far = pair
    bulk.gathers = True
    much = bytes(10_000_000)
    bulk.send(much)
    taken = 0
    while not bulk.flush():
        taken += len(far.recv(1_000_000))
    while taken < len(much):
        taken += len(far.recv(1_000_000))
    assert taken == len(much)


def test_a_farewell_is_sent_before_it_is_closed(pair):
    bulk, far = pair
    bulk.gathers = True
    bulk.send(b"\xe0\x00")
    bulk.close()
    assert far.recv(99) == b"\xe0\x00"
    assert far.recv(99) == b""


def test_what_breaks_it_while_it_is_written_to_is_met_by_who_reads(pair):
    bulk, far = pair
    bulk.gathers = True
    far.close()
    bulk.send(b"x")
    assert bulk.flush()
    assert bulk.broken
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        bulk.recv(1)


class Frames:
    """As paho's WebSocket: it takes all or nothing, and wants the same again after nothing."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def send(self, data):
        self.asked.append(bytes(data))
        return self.answers.pop(0)


def test_a_frame_that_went_out_in_part_is_asked_for_again():
    inner = Frames(0, 3, 3)
    bulk = BulkSocket(inner)
    bulk.gathers = True
    bulk.send(b"abc")
    assert not bulk.flush()
    bulk.send(b"def")
    assert bulk.flush()
    assert inner.asked == [b"abc", b"abcdef", b"def"]


class Client(DrivenClient):
    """A client that has dialled: what paho would write it writes when told to, and it notes what it was called for."""

    def __init__(self, sock):
        super().__init__(CallbackAPIVersion.VERSION2)
        self.bulk, self.to_write, self.read, self.looked = BulkSocket(sock), [], [], 0
        self.broke, self.ends_after = None, None
        self.came = asyncio.Event()

    def socket(self):
        return self.bulk

    def say(self, *packets):
        self.to_write += packets
        to_be_written: Any = self.on_socket_register_write
        to_be_written(self, None, self.bulk)

    def loop_read(self, _max_packets=1):
        try:
            self.read.append(self.bulk.recv(2))
        except OSError as error:
            self.broke = error
            self.leave()
        self.came.set()
        if len(self.read) == self.ends_after:
            self.leave()

    def loop_write(self):
        packets, self.to_write = self.to_write, []
        for each in packets:
            self.bulk.send(each)
            if each == FAREWELL:
                self.leave()

    def loop_misc(self):
        self.looked += 1
        self.came.set()

    def leave(self):
        closes: Any = self.on_socket_close
        for _ in range(2):
            closes(self, None, self.bulk)
        self.bulk.close()

    async def until(self, condition):
        """Wait until it has been called for that."""
        async with asyncio.timeout(10):
            while not condition():
                self.came.clear()
                await self.came.wait()


FAREWELL = b"\xe0\x00"
MUCH = bytes(4_000_000)


def attached(story, *, look_s=3600.0):
    """A story with a client on the loop of this test and the far end of its connection."""

    async def run():
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            far.setblocking(False)
            client = Client(near)
            far.send(b"in")
            assert client.bulk.recv(1) == b"i"
            client.attach(asyncio.get_running_loop(), look_s=look_s)
            await story(client, far, asyncio.get_running_loop())

    asyncio.run(run())


async def turns(count=3):
    for _ in range(count):
        await asyncio.sleep(0)


async def received(far, length):
    async with asyncio.timeout(10):
        data = bytearray()
        while len(data) < length:
            data += await asyncio.get_running_loop().sock_recv(far, 1_000_000)
        return bytes(data)


def test_what_came_while_it_dialled_is_handled_though_the_socket_is_silent():
    async def story(client, _far, _loop):
        await client.until(lambda: client.read == [b"n"])
        client.leave()

    attached(story)


def test_much_that_has_come_is_handled_a_piece_each_turn_and_nothing_after_the_end():
    async def story(client, far, _loop):
        client.ends_after = 3
        far.send(b"aabbccdd")
        await client.until(lambda: len(client.read) == 3)
        await turns()
        assert client.read == [b"n", b"aa", b"bb"]

    attached(story)


def test_what_the_network_does_not_take_goes_out_when_there_is_room():
    async def story(client, far, loop):
        client.say(MUCH, b"last")
        client.say()
        await turns()
        assert client.bulk.fileno() in writers(loop)
        assert (await received(far, len(MUCH) + 4)).endswith(b"\0last")
        await turns()
        assert client.bulk.fileno() not in writers(loop), "nobody waits for room that nothing needs"
        client.say(b"more")
        assert await received(far, 4) == b"more"
        client.leave()

    attached(story)


def writers(loop):
    """The descriptors for whose room the loop waits."""
    return [number for number, key in loop._selector.get_map().items() if key.events & selectors.EVENT_WRITE]


def test_a_connection_that_ends_while_it_waits_for_room_leaves_nothing_on_the_loop():
    async def story(client, _far, loop):
        number = client.bulk.fileno()
        client.say(MUCH)
        await turns()
        assert number in writers(loop)
        client.leave()
        assert number not in loop._selector.get_map()
        client.say(b"more")
        await turns()
        assert client.to_write == [b"more"], "nothing is written to what has ended"

    attached(story)


def test_a_farewell_ends_it_in_the_turn_in_which_it_is_written():
    async def story(client, far, _loop):
        client.say(FAREWELL)
        await turns()
        assert far.recv(9) == FAREWELL
        assert far.recv(9) == b""
        assert client.bulk.fileno() == -1

    attached(story)


def test_what_was_to_be_written_when_it_ended_is_not():
    async def story(client, _far, _loop):
        client.say(b"late")
        client.leave()
        await turns()
        assert client.to_write == [b"late"]

    attached(story)


def test_a_pipe_that_breaks_under_a_write_is_told_though_nothing_can_be_read():
    async def story(client, _far, loop):
        number = client.bulk.fileno()
        await client.until(lambda: client.read)
        client.bulk._inner.shutdown(socket.SHUT_WR)
        client.say(b"x")
        await client.until(lambda: client.broke is not None)
        assert isinstance(client.broke, BrokenPipeError)
        assert number not in loop._selector.get_map()

    attached(story)


def test_it_is_looked_after_again_and_again_until_it_ends():
    async def story(client, _far, _loop):
        await client.until(lambda: client.looked >= 2)
        client.leave()
        looked = client.looked
        await turns()
        assert client.looked == looked

    attached(story, look_s=0.0)


def test_a_client_without_a_connection_is_not_driven():
    async def story():
        client = DrivenClient(CallbackAPIVersion.VERSION2)
        client.attach(asyncio.get_running_loop(), look_s=1.0)
        assert client.on_socket_register_write is None

    asyncio.run(story())


def test_pubacks_are_taken_past_paho_up_to_what_is_not_one(pair):
    bulk, far = pair
    far.sendall(b"\x40\x02\x01\x02" + b"\x40\x04\x00\x07\x97\x00" + b"\xd0\x00" + b"\x40\x02\x00\x09")
    assert bulk.acknowledgements() == [(0x0102, 0), (7, 0x97)]
    assert bulk.for_paho
    assert bulk.recv(9) == b"\xd0\x00\x40\x02\x00\x09"


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_puback_that_came_in_part_waits_for_the_rest(pair, cut):
    bulk, far = pair
    packet = b"\x40\x02\x00\x09"
    far.sendall(packet[:cut])
    assert bulk.acknowledgements() == []
    assert (bulk.for_paho, bulk.pending()) == (False, 0), "paho would take it"
    far.sendall(packet[cut:] + packet)
    assert bulk.acknowledgements() == [(9, 0), (9, 0)]
    assert (bulk.for_paho, bulk.pending()) == (False, 0)


@pytest.mark.parametrize("packet", [b"\x40\x01\x00", b"\x40\xff\xff\xff\xff\x01"])
def test_a_puback_that_is_none_is_left_to_paho(pair, packet):
    bulk, far = pair
    far.sendall(packet)
    assert bulk.acknowledgements() == []
    assert bulk.for_paho
    assert bulk.recv(9) == packet


@pytest.mark.parametrize("before", [b"", b"\x40"])
def test_an_end_is_for_paho(pair, before):
    bulk, far = pair
    far.sendall(before)
    assert bulk.acknowledgements() == []
    far.close()
    assert bulk.acknowledgements() == []
    assert bulk.for_paho
    assert bulk.recv(9) == before
    if before:
        assert bulk.recv(9) == b""


class BrokenSocket:
    def recv(self, _length):
        raise ConnectionResetError


def test_what_breaks_it_while_pubacks_are_read_is_for_paho():
    bulk = BulkSocket(BrokenSocket())
    assert bulk.acknowledgements() == []
    assert bulk.for_paho
    with pytest.raises(ConnectionResetError):
        bulk.recv(1)


def test_pubacks_and_packets_of_our_own_go_past_paho():
    async def story(client, far, _loop):
        came = []
        client.on_acknowledged = came.extend
        await client.until(lambda: client.read == [b"n"])
        client._sock = client.bulk
        assert client.post(b"mine")
        assert await received(far, 4) == b"mine"
        far.send(b"\x40\x02\x00\x09" + b"bb")
        await client.until(lambda: client.read == [b"n", b"bb"])
        assert came == [(9, 0)]
        client._in_packet["command"] = 0x30  # in the middle of a packet what looks like a PUBACK is none
        far.send(b"\x40\x02")
        await client.until(lambda: len(client.read) == 3)
        assert (client.read[-1], came) == (b"\x40\x02", [(9, 0)])
        client._sock = None
        assert not client.post(b"late")
        client.leave()

    attached(story)


def test_identifiers_are_of_one_row_with_those_of_paho():
    client = DrivenClient(CallbackAPIVersion.VERSION2)
    assert client.next_id() + 1 == client._mid_generate()
