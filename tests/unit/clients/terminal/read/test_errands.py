"""What is asked of the bridge beside the mail that comes: each errand has its turn and its end, however it goes."""

from __future__ import annotations

import itertools

import msgpack
import pytest

from clients.contract.requests import Reply, decode_reply
from clients.download import STALL_S
from clients.errors import OutputError
from clients.terminal.read.destination import MemoryDestination
from clients.terminal.read.errands import PATIENCE_S, Errand, Errands


@pytest.fixture
def errands():
    return Errands(next_request_id=itertools.count(1).__next__, jitter=lambda: 0.5)


@pytest.fixture
def text(errands):
    """Asks for a text; the texts that came, and the ends that were told."""
    texts, ends = [], []
    errands.run(Errand("text", ("00t64ks8n",), MemoryDestination(texts.append), ends.append))
    return texts, ends


def reply(request_id, chunk, *, offset=0, total=5):
    return decode_reply(msgpack.packb([1, request_id, 0, offset, total, chunk]))


def test_an_answer_in_pieces_ends_with_the_last_of_them(errands, text):
    texts, ends = text
    assert errands.request(0.0, up=True)
    errands.answered(reply(1, b"He"), now=1.0)
    assert (texts, ends) == ([], [])
    errands.answered(reply(1, b"llo", offset=2), now=1.0)
    assert (texts, ends) == ([b"Hello"], [None])
    assert errands.due_at(1.0, up=True) is None


@pytest.mark.usefixtures("text")
def test_it_is_due_at_once_and_then_when_the_answer_is_late_or_given_up(errands):
    assert errands.due_at(0.0, up=True) == 0.0
    errands.request(0.0, up=True)
    assert errands.due_at(1.0, up=True) == STALL_S
    assert errands.due_at(1.0, up=False) == PATIENCE_S, "nobody can be asked meanwhile"


@pytest.mark.usefixtures("text")
def test_what_was_on_its_way_when_the_connection_ended_is_asked_for_again(errands):
    errands.resumed(0.0)
    errands.request(0.0, up=True)
    assert errands.request(1.0, up=True) is None
    errands.resumed(1.0)
    assert errands.request(1.0, up=True)


def test_an_answer_that_nobody_waits_for_changes_nothing(errands, text):
    texts, ends = text
    errands.answered(Reply(1, 0, 0, 0, b"", ""), now=0.0)
    assert (texts, ends) == ([], [])
    assert errands.request(0.0, up=True)


def test_a_destination_that_fails_at_the_end_is_told_and_the_next_has_its_turn(errands):
    def full(_):
        raise OutputError("cannot write plan.png: No space left on device")

    ends = []
    errands.run(Errand("text", ("00t64ks8n",), MemoryDestination(full), ends.append))
    errands.run(Errand("text", ("00t64ks8p",), MemoryDestination(lambda _: None), ends.append))
    errands.request(0.0, up=True)
    errands.answered(reply(1, b"Hello"), now=0.0)
    assert [str(each) for each in ends] == ["cannot write plan.png: No space left on device"]
    assert msgpack.unpackb(errands.request(0.0, up=True))[3] == "00t64ks8p"
