"""Comments are told from quoted strings, whatever is nested in them or escaped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail.comments import COMMENT, DEEPEST, without_comments
from tests.support.processor import least_s

PIECES = st.lists(st.sampled_from([b"(", b")", b'"', b"\\", b"a", b" ", b"\n", b";", b"\xff"]), max_size=40)


def end_of_comment(value: bytes, start: int) -> int:
    """Where the comment that begins at `start` ends, counted by hand; -1 when it does not or is too deep."""
    depth, position = 0, start
    while position < len(value):
        byte = value[position : position + 1]
        if byte == b"\\":
            position += 1
        depth += (byte == b"(") - (byte == b")")
        position += 1
        if depth == 0:
            return position if position <= len(value) else -1
        if depth > DEEPEST:
            return -1
    return -1


@given(PIECES)
def test_a_comment_ends_where_counting_says(pieces):
    value = b"(" + b"".join(pieces)
    match = re.compile(COMMENT, re.DOTALL).match(value)
    assert (match.end() if match else -1) == end_of_comment(value, 0)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"a (b) c", b"a   c"),
        (b"a(b (c) d)e", b"a e"),
        (rb"a (b\) c) d", rb"a   d"),
        (rb"a (b\\) c", rb"a   c"),
        (b'a "(b)" c', b'a "(b)" c'),
        (rb'a "\"(b)" (c)', rb'a "\"(b)"  '),
        (b'5 (5" or 6") "x (y)"', b'5   "x (y)"'),
        (b"a (b", b"a (b"),
        (b'a (b "(c)" d', b'a (b "(c)" d'),
        (b"a (b) (c (d) e", b"a   (c (d) e"),
        (b"a) b", b"a) b"),
        (b"(" * DEEPEST + rb"\)" + b")" * DEEPEST, b" "),
    ],
)
def test_comments_are_taken_out(value, left):
    assert without_comments(value) == left


@pytest.mark.parametrize("unit", [b"(", b"()", b"(a", b"(()", b"\\", b'"', b'"\\"', b"(((((()()", b"\\(", b'("'])
def test_it_costs_linear_time(unit):
    value = unit * (1_000_000 // len(unit))
    assert least_s(lambda: without_comments(value), bound_s=2) < 2  # measured below 0.2
