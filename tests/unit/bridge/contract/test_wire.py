"""Payloads of any header fit, stay valid text, and split no character; any bytes are a request or a clear error."""

from __future__ import annotations

import json
import unicodedata

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge import graphemes
from bridge.contract import ids, wire
from bridge.errors import BadRequestError
from bridge.model import Header

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1ea\U0001f1fa"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
JOINED = [
    "a",
    " ",
    "é",
    "e\u0323\u0302",
    "ב",
    "字",
    FAMILY,
    FLAG,
    SCOTLAND,
    "\U0001f44d\U0001f3fd",
    "1\ufe0f\u20e3",
    "नि",
]
"""What readers see as one character each."""

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300)
headers = st.builds(
    Header,
    flags=st.integers(0, 4095),
    from_name=texts,
    from_address=texts,
    subject=texts,
    snippet=texts,
    size=st.integers(0, 2**50),
    detail=st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=64),
    date=st.none() | st.integers(0, 4_102_444_800),
)
limits = st.integers(192, 700)


@given(headers, limits)
def test_a_header_never_exceeds_its_limit(header, limit):
    packed = wire.pack_header(header, limit=limit)
    assert len(packed) <= limit
    assert wire.unpack_header(packed).size == header.size


@given(headers)
def test_a_header_that_fits_comes_back_as_it_was(header):
    assert wire.unpack_header(wire.pack_header(header, limit=100_000)) == header


@given(headers, limits)
def test_what_was_cut_is_the_start_of_what_was_there_and_says_so(header, limit):
    read = wire.unpack_header(wire.pack_header(header, limit=limit))
    for field in ("snippet", "subject", "from_name", "detail", "from_address"):
        whole, got = getattr(header, field), getattr(read, field)
        assert got in {whole, ""} or (got.endswith(graphemes.ELLIPSIS) and whole.startswith(got[:-1]))


@given(headers, limits)
def test_the_snippet_goes_first_then_the_subject_then_the_name(header, limit):
    read = wire.unpack_header(wire.pack_header(header, limit=limit))
    order = ("snippet", "subject", "from_name", "detail", "from_address")
    cut = [getattr(header, field) != getattr(read, field) for field in order]
    nonempty = [bool(getattr(header, field)) for field in order]
    last_cut = max((i for i, was in enumerate(cut) if was), default=-1)
    assert all(cut[i] or not nonempty[i] for i in range(last_cut))


@given(headers, limits)
def test_the_snippet_keeps_all_the_room_there_is(header, limit):
    read = wire.unpack_header(packed := wire.pack_header(header, limit=limit))
    only_snippet = read.subject == header.subject and read.snippet != header.snippet
    if only_snippet and len(header.snippet) > 20 and header.snippet.isascii() and " " not in header.snippet:
        assert len(packed) >= limit - 3


@given(st.lists(st.sampled_from(JOINED), max_size=60), st.integers(0, 300))
@example([FLAG] * 40, 40)
@example([FLAG] * 40, 44)
def test_a_cut_splits_no_joined_character(characters, budget):
    cut = wire.cut("".join(characters), budget=budget)
    starts = {"", "".join(characters)} | {
        "".join(characters[:end]).rstrip() + graphemes.ELLIPSIS for end in range(1, len(characters) + 1)
    }
    assert cut in starts
    assert len(msgpack.packb(cut)) - len(msgpack.packb("")) <= budget
    assert unicodedata.is_normalized("NFC", cut) or not unicodedata.is_normalized("NFC", "".join(characters))


@given(st.lists(st.sampled_from(JOINED), min_size=30, max_size=300))
def test_the_text_view_is_one_line_of_at_most_200_characters_that_splits_none(characters):
    subject = "".join(characters)
    line = wire.text_view(Header(0, "A", "", subject, "", 1)).decode()
    assert len(line) <= 200
    assert "\n" not in line
    if line != f"A: {subject}":
        starts = {f"A: {''.join(characters[:end])}".rstrip() + graphemes.ELLIPSIS for end in range(len(characters))}
        assert line in starts


def test_the_text_view_names_what_is_missing():
    assert wire.text_view(Header(0, "", "", "", "", 1)) == b"(unknown sender): (no subject)"
    assert wire.text_view(Header(0, "", "a@b", "s", "t", 1)).decode() == "a@b: s – t"


@given(headers, st.integers(0, 2**44))
def test_views_are_json_on_one_line(header, number):
    for view in (wire.last_view(number, header), wire.event_view(number, header, user="alice")):
        assert b"\n" not in view
        value = json.loads(view)
        assert value["id"] == ids.encode(number)
        assert value["subject"] == header.subject


@given(st.sets(st.integers(0, 2**45 - 1), max_size=50), st.randoms())
def test_a_digest_does_not_depend_on_the_order_and_changes_with_each_id(numbers, random):
    live = [ids.encode(number) for number in numbers]
    digest = wire.pack_digest(live)
    random.shuffle(live)
    assert wire.pack_digest(live) == digest
    if live:
        assert wire.pack_digest(live[1:]) != digest
        assert msgpack.unpackb(digest)[::3] == [1, max(live)]


@pytest.mark.parametrize(("days", "kept"), [(0, False), (1, False), (-1, False), (1.01, True), (-1.01, True)])
def test_the_senders_date_is_said_only_when_it_is_more_than_a_day_off(days, kept):
    arrival_ms = 1_763_813_056_789
    date = arrival_ms // 1000 + int(days * 86_400)
    assert wire.sender_date(date, arrival_ms=arrival_ms) == (date if kept else None)


def test_no_date_stays_none():
    assert wire.sender_date(None, arrival_ms=1) is None


# --- requests -------------------------------------------------------------------------------------

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
        request = wire.parse_request(payload)
    except BadRequestError:
        return
    assert 0 <= request.request_id < 2**32


@given(values)
def test_any_value_is_a_request_or_a_bad_request(value):
    try:
        request = wire.parse_request(msgpack.packb(value))
    except BadRequestError:
        return
    assert value[:3] == [1, request.request_id, request.operation]


@given(st.integers(0, 2**32 - 1), st.text(max_size=20), st.lists(values, max_size=3))
def test_a_request_is_read_as_it_was_written(request_id, operation, arguments):
    request = wire.parse_request(packed := msgpack.packb([1, request_id, operation, *arguments]))
    assert (request.request_id, request.operation) == (request_id, operation)
    assert msgpack.packb([1, request_id, operation, *request.arguments]) == packed


def test_a_request_too_large_is_refused_unread():
    with pytest.raises(BadRequestError, match="too large") as refusal:
        wire.parse_request(b"\xc1" * (wire.REQUEST_BYTES + 1))
    assert refusal.value.status == 1


@given(headers, st.integers(0, 2**45 - 1))
def test_the_answer_to_recent_holds_the_headers_as_published(header, number):
    packed = wire.pack_header(header, limit=512)
    assert msgpack.unpackb(wire.pack_recent([(number, packed)])) == [[ids.encode(number), msgpack.unpackb(packed)]]
