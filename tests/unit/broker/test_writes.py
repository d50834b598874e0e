"""Writes that are gathered: each link once, in the next step at the latest, and nobody's failure is another's."""

from __future__ import annotations

import asyncio

import pytest

from broker.transport import TcpLink
from broker.writes import Writes
from tests.unit.broker.test_turns import Steps


class Link:
    """Counts how often it was flushed, or fails."""

    def __init__(self, *, broken=False):
        self.flushed, self._broken = 0, broken

    def flush(self):
        self.flushed += 1
        if self._broken:
            raise ZeroDivisionError


def test_what_nobody_flushes_goes_out_with_the_next_step():
    steps, links = Steps(), [Link(), Link()]
    writes = Writes(steps)
    for link in links:
        writes.add(link)
    assert [link.flushed for link in links] == [0, 0]
    steps.step()
    assert [link.flushed for link in links] == [1, 1]
    assert not steps.step()


def test_what_was_flushed_is_not_flushed_again():
    steps, link = Steps(), Link()
    writes = Writes(steps)
    writes.add(link)
    writes.flush()
    steps.step()
    assert link.flushed == 1


def test_a_link_that_fails_holds_up_nobody():
    steps, links = Steps(), [Link(), Link(broken=True), Link()]
    writes = Writes(steps)
    for link in links:
        writes.add(link)
    with pytest.raises(ZeroDivisionError):
        writes.flush()
    steps.step()
    assert [link.flushed for link in links] == [1, 1, 1]


def test_what_a_link_that_fails_in_the_step_held_up_goes_out_with_the_next():
    steps, links = Steps(), [Link(), Link(broken=True)]
    writes = Writes(steps)
    for link in links:
        writes.add(link)
    with pytest.raises(ZeroDivisionError):
        steps.step()
    assert [link.flushed for link in links] == [0, 1]
    steps.step()
    assert [link.flushed for link in links] == [1, 1]
    writes.add(links[0])
    writes.add(links[0])
    assert steps.step()
    assert not steps.step()


class Wire(asyncio.Transport):
    """The network: what was written, call by call."""

    def __init__(self):
        super().__init__()
        self.written, self.closed = [], False

    def write(self, data):
        self.written.append(bytes(data))

    def get_write_buffer_size(self):
        return 0

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.written.append("end")

    def abort(self):
        self.closed = True

    def is_closing(self):
        return self.closed


@pytest.fixture
def made():
    """A link, its wire, and what makes the loop's steps."""

    async def make():
        steps, wire = Steps(), Wire()
        link = TcpLink(lambda *_: None, Writes(steps))
        link.connection_made(wire)
        return link, wire, steps

    return asyncio.run(make())


def test_what_is_written_together_is_one_call(made):
    link, wire, steps = made
    for data in (b"one", b"two", b"three"):
        link.write(data)
    assert (link.unsent, wire.written) == (11, [])
    steps.step()
    assert (link.unsent, wire.written) == (0, [b"onetwothree"])


def test_much_goes_out_at_once(made):
    link, wire, _ = made
    for _ in range(5):
        link.write(b"x" * 20_000)
    assert [len(data) for data in wire.written] == [40_000, 40_000]
    assert link.unsent == 20_000


@pytest.mark.parametrize("end", [lambda link: link.finish(), lambda link: link.abort()], ids=["finished", "aborted"])
def test_what_was_written_before_the_end_is_not_lost(made, end):
    """An acknowledgement, and a DISCONNECT that comes with what it acknowledges."""
    link, wire, _ = made
    link.write(b"PUBACK")
    end(link)
    assert wire.written[0] == b"PUBACK"
