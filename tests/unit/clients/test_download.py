"""Downloads: the exact bytes in order, over a link that loses, doubles, delays and reorders."""

from __future__ import annotations

import itertools
import random

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.contract.requests import Reply
from clients.download import STALL_S, WINDOW_BYTES, Download
from clients.errors import RequestError

ID = "00t64ks8n"


def make(operation="raw", *arguments, patience_s=60.0):
    got = bytearray()
    download = Download(
        operation,
        *(arguments or (ID,)),
        write=got.extend,
        next_request_id=itertools.count(1).__next__,
        jitter=lambda: 0.5,
        patience_s=patience_s,
        now=0.0,
    )
    return download, got


def chunks(body, request, size):
    _, request_id, _, *arguments = request
    offset, limit = arguments[-2:]
    end = min(offset + limit, len(body))
    starts = range(offset, end, size) if offset < end else [offset]
    return [Reply(request_id, 0, start, len(body), body[start : min(start + size, end)], "") for start in starts]


@given(
    body=st.integers(0, 40_000).map(lambda size: random.Random(size).randbytes(size)),
    size=st.integers(500, 9000),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_arrives_whole_over_any_link(body, size, seed):
    choose, now = random.Random(seed), 0.0
    download, got = make(patience_s=10_000.0)
    for _ in range(500):
        if download.done:
            break
        now = max(now, download.due_at(up=True))
        request = download.request(now)
        if request is None:
            continue
        replies = [reply for reply in chunks(body, msgpack.unpackb(request), size) if choose.random() > 0.3]
        replies += [reply for reply in replies if choose.random() < 0.3]
        choose.shuffle(replies)
        for reply in replies:
            now += 0.01
            download.answered(reply, now=now)
    assert download.done
    assert bytes(got) == body


def test_large_answer_is_asked_for_in_windows_without_waiting():
    body = bytes(3 * WINDOW_BYTES - 7)
    download, got = make()
    offsets = []
    while not download.done:
        request = msgpack.unpackb(download.request(0.0))
        offsets.append(tuple(request[-2:]))
        for reply in chunks(body, request, 8192):
            assert download.request(0.0) is None
            download.answered(reply, now=0.0)
    assert offsets == [
        (0, WINDOW_BYTES),
        (WINDOW_BYTES, WINDOW_BYTES),
        (2 * WINDOW_BYTES, WINDOW_BYTES),
    ]
    assert bytes(got) == body


def test_hole_is_fetched_alone():
    body = bytes(range(256)) * 100
    download, got = make()
    replies = chunks(body, msgpack.unpackb(download.request(0.0)), 1000)
    for reply in replies[:3] + replies[4:]:
        download.answered(reply, now=0.0)
    request = msgpack.unpackb(download.request(download.due_at(up=True)))
    assert request[-2:] == [3000, 1000]
    download.answered(chunks(body, request, 1000)[0], now=1.0)
    assert download.done
    assert bytes(got) == body


def test_silence_is_answered_by_asking_again_then_by_giving_up():
    download, _ = make(patience_s=20)
    assert download.request(0.0) is not None
    assert download.request(STALL_S - 0.1) is None
    assert download.request(STALL_S) is not None
    download.check_patience(19.9)
    with pytest.raises(RequestError, match="no answer from the bridge for 20 seconds"):
        download.check_patience(20)


def test_try_later_waits_longer_each_time():
    download, _ = make()
    waits, now = [], 0.0
    for number in range(1, 5):
        download.request(now)
        download.answered(Reply(number, 5, 0, 0, b"", "later"), now=now)
        waits.append(download.due_at(up=True) - now)
        now = download.due_at(up=True)
    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]


def test_refusal_and_contradiction_end_it():
    download, _ = make()
    download.request(0.0)
    with pytest.raises(RequestError, match="body gone"):
        download.answered(Reply(1, 3, 0, 0, b"", "body gone"), now=0.0)
    download, _ = make()
    download.request(0.0)
    download.answered(Reply(1, 0, 0, 10, b"ab", ""), now=0.0)
    with pytest.raises(RequestError, match="changed"):
        download.answered(Reply(1, 0, 2, 11, b"ab", ""), now=0.0)


def test_replies_to_others_are_ignored():
    download, got = make()
    download.request(0.0)
    download.answered(Reply(77, 0, 0, 2, b"ab", ""), now=0.0)
    download.answered(Reply(77, 2, 0, 0, b"", "no such message"), now=0.0)
    assert not got


def test_parts_are_asked_for_without_offset_and_again_from_the_start():
    download, got = make("parts")
    assert msgpack.unpackb(download.request(0.0)) == [1, 1, "parts", ID]
    download.answered(Reply(1, 0, 4, 8, b"efgh", ""), now=0.0)
    assert msgpack.unpackb(download.request(10.0)) == [1, 2, "parts", ID]
    download.answered(Reply(2, 0, 0, 8, b"abcd", ""), now=10.0)
    assert bytes(got) == b"abcdefgh"
