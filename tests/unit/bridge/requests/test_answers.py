"""Answers that are remembered, and for how long."""

from __future__ import annotations

from bridge.requests.answers import CACHE_BYTES, AnswerCache


def test_answers_are_kept_up_to_a_size_and_those_in_use_longest():
    cache, third = AnswerCache(), bytes(CACHE_BYTES // 3)
    for key in "abc":
        cache.put((key,), third)
    assert cache.get(("a",)) == third
    cache.put(("d",), third)
    assert [key for key in "abcd" if cache.get((key,)) is not None] == ["a", "c", "d"]
    cache.put(("e",), bytes(CACHE_BYTES + 1))
    assert [key for key in "abcde" if cache.get((key,)) is not None] == ["e"]
    cache.put(("e",), b"")
    for key in "abc":
        cache.put((key,), third)
    assert cache.get(("e",)) == b""
