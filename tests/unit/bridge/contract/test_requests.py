"""Any bytes are a request or a clear error; what was asked for is read as it was written."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.contract import ids
from bridge.contract.header import pack_header
from bridge.contract.requests import (
    REQUEST_BYTES,
    mail_numbers,
    numbers_or,
    pack_recent,
    parse_request,
    window,
)
from bridge.errors import BadRequestError
from tests.unit.bridge.contract.strategies import headers

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200))
@example(b"\x93\x01\x05\xd4\xff\x00")
@example(b"\xc1")
@example(b"\x91" * 3000 + b"\x01")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\x94\x01\x05\xa4seen\x81\x90\x01")
def test_any_bytes_are_a_request_or_a_bad_request(payload):
    try:
        request = parse_request(payload)
    except BadRequestError:
        return
    assert 0 <= request.request_id < 2**32


@given(values)
def test_any_value_is_a_request_or_a_bad_request(value):
    try:
        request = parse_request(msgpack.packb(value))
    except BadRequestError:
        return
    assert value[:3] == [1, request.request_id, request.operation]


@given(st.integers(0, 2**32 - 1), st.text(max_size=20), st.lists(values, max_size=3))
def test_a_request_is_read_as_it_was_written(request_id, operation, arguments):
    request = parse_request(packed := msgpack.packb([1, request_id, operation, *arguments]))
    assert (request.request_id, request.operation) == (request_id, operation)
    assert msgpack.packb([1, request_id, operation, *request.arguments]) == packed


def test_a_request_too_large_is_refused_unread():
    with pytest.raises(BadRequestError, match="too large") as refusal:
        parse_request(b"\xc1" * (REQUEST_BYTES + 1))
    assert refusal.value.status == 1


@given(headers, st.integers(0, 2**45 - 1))
def test_the_answer_to_recent_holds_the_headers_as_published(header, number):
    packed = pack_header(header, limit=512)
    assert msgpack.unpackb(pack_recent([(number, packed)])) == [[ids.encode(number), msgpack.unpackb(packed)]]


# --- arguments ------------------------------------------------------------------------------------

arguments = st.lists(values | st.integers(-10, 10_000), max_size=4)


@given(arguments)
def test_any_arguments_are_ids_or_a_bad_request(given_arguments):
    try:
        numbers = mail_numbers(given_arguments)
    except BadRequestError:
        return
    assert [ids.encode(number) for number in numbers] == given_arguments


@given(st.lists(st.integers(0, 2**45 - 1), min_size=1))
def test_ids_are_the_numbers_they_say(numbers):
    assert mail_numbers([ids.encode(number) for number in numbers]) == numbers


@given(arguments, st.integers(0, 20_000), st.integers(1, 20_000))
def test_any_window_lies_within_the_answer_or_is_a_bad_request(given_arguments, total, most):
    try:
        offset, limit = window(given_arguments, total=total, most=most)
    except BadRequestError:
        return
    assert 0 <= offset <= total
    assert 1 <= limit <= most
    assert [offset, limit][: len(given_arguments)] == [
        given_arguments[0] if given_arguments else 0,
        min(given_arguments[1], most) if len(given_arguments) > 1 else most,
    ][: len(given_arguments)]


@pytest.mark.parametrize(
    ("given_arguments", "numbers"), [([], (3, 4)), ([7], (7, 4)), ([7, 8], (7, 8)), ([7, 8, "more"], (7, 8))]
)
def test_what_is_left_out_is_its_default_and_what_is_more_is_ignored(given_arguments, numbers):
    assert numbers_or((3, 4), given_arguments) == numbers


@pytest.mark.parametrize("wrong", ["1", 1.0, True, None, [1]])
def test_only_an_integer_is_a_number(wrong):
    with pytest.raises(BadRequestError, match="are numbers"):
        numbers_or((0,), [wrong])
