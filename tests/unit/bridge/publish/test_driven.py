"""What stands between paho and its socket: reads and writes in bulk, and what breaks it is told where paho looks."""

from __future__ import annotations

import socket

import pytest

from bridge.publish.driven import BulkSocket


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
