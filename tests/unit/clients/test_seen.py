"""Marking as seen: asked for until it is confirmed."""

from __future__ import annotations

import itertools

import msgpack

from clients.contract.requests import Reply
from clients.seen import ANSWER_S, IDS_PER_REQUEST, SeenRequests

ID = "00t64ks8n"


def seen_requests():
    return SeenRequests(next_request_id=itertools.count(1).__next__, jitter=lambda: 0.5)


def answer(request_id, status=0):
    return Reply(request_id, status, 0, 0, b"", "text" if status else "")


def test_seen_is_asked_for_in_one_request_until_it_is_confirmed():
    seen = seen_requests()
    assert seen.due_at(0.0) is None
    assert seen.request(0.0) is None
    seen.want([ID, "00t64ks8p"])
    assert msgpack.unpackb(seen.request(0.0)) == [1, 1, "seen", ID, "00t64ks8p"]
    assert seen.request(1.0) is None
    assert msgpack.unpackb(seen.request(ANSWER_S))[1] == 2
    assert seen.answered(answer(1), now=11.0) is None
    assert seen.wanted(ID)
    assert seen.answered(answer(2), now=11.0) is None
    assert not seen.wanted(ID)
    assert seen.due_at(12.0) is None


def test_seen_that_vanishes_by_itself_is_not_asked_for():
    seen = seen_requests()
    seen.want([ID])
    seen.gone(ID)
    assert seen.request(0.0) is None


def test_many_seen_go_in_several_requests():
    seen = seen_requests()
    seen.want(f"{number:09}" for number in range(IDS_PER_REQUEST + 1))
    assert len(msgpack.unpackb(seen.request(0.0))) == 3 + IDS_PER_REQUEST
    seen.answered(answer(1), now=0.0)
    assert len(msgpack.unpackb(seen.request(0.0))) == 3 + 1


def test_seen_backs_off_when_told_and_gives_up_when_refused():
    seen = seen_requests()
    seen.want([ID])
    seen.request(0.0)
    assert seen.answered(answer(1, 6), now=0.0) is None
    assert seen.request(0.1) is None
    assert seen.request(seen.due_at(0.1)) is not None
    assert seen.answered(answer(2, 1), now=5.0) == "text"
    assert not seen.wanted(ID)


def test_seen_is_asked_again_at_once_after_a_reconnection():
    seen = seen_requests()
    seen.want([ID])
    assert seen.request(0.0) is not None
    seen.resumed(1.0)
    assert seen.request(1.0) is not None
