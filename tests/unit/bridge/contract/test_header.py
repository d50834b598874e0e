"""A header of any texts fits its limit, stays valid text, and splits no character."""

from __future__ import annotations

import unicodedata

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.contract import ids
from bridge.contract.header import (
    SMALLEST_LIMIT_BYTES,
    cut,
    fitted,
    longest_packet,
    pack_header,
    sender_date,
    unpack_header,
)
from bridge.graphemes import ELLIPSIS
from tests.support import mqtt_client as mqtt
from tests.support.pubsubclient import LIBRARY_BYTES
from tests.unit.bridge.contract.strategies import FLAG, JOINED, headers

limits = st.integers(SMALLEST_LIMIT_BYTES, 700)


@given(headers, limits)
def test_a_header_never_exceeds_its_limit(header, limit):
    packed = pack_header(header, limit=limit)
    assert len(packed) <= limit
    assert unpack_header(packed).size == header.size


@given(headers)
def test_a_header_that_fits_comes_back_as_it_was(header):
    assert unpack_header(pack_header(header, limit=100_000)) == header


@given(headers, limits)
def test_what_was_cut_to_fit_fits(header, limit):
    once = pack_header(header, limit=limit)
    assert pack_header(unpack_header(once), limit=limit) == once


@given(headers, limits, limits)
def test_a_payload_is_fitted_as_if_it_had_been_packed_so(header, one, other):
    payload = pack_header(header, limit=max(one, other))
    assert fitted(payload, min(one, other)) == pack_header(unpack_header(payload), limit=min(one, other))
    assert fitted(payload, None) == fitted(payload, len(payload)) == payload


@pytest.mark.parametrize("payload", [32, 97, 98, 192, 512, 16_000, 16_355, 16_356, 65_536])
@pytest.mark.parametrize("user", ["a", "alice", "a" * 32])
def test_the_longest_packet_is_what_comes_over_the_wire(user, payload):
    wire = mqtt.publish(f"mail/{user}/msg/{ids.encode(1)}", b"x" * payload, qos=1, retain=True)
    assert longest_packet("mail", user, payload) == len(wire)


def test_192_bytes_fit_the_buffer_that_pubsubclient_has():
    assert longest_packet("mail", "a" * 32, 192) <= LIBRARY_BYTES


@given(headers, limits, limits)
def test_a_larger_limit_loses_nothing_that_a_smaller_one_keeps(header, one, other):
    small = unpack_header(pack_header(header, limit=min(one, other)))
    large = unpack_header(pack_header(header, limit=max(one, other)))
    for field in ("snippet", "subject", "from_name", "detail", "from_address"):
        assert len(getattr(large, field)) >= len(getattr(small, field))


@given(headers, limits)
def test_what_was_cut_is_the_start_of_what_was_there_and_says_so(header, limit):
    read = unpack_header(pack_header(header, limit=limit))
    for field in ("snippet", "subject", "from_name", "detail", "from_address"):
        whole, got = getattr(header, field), getattr(read, field)
        assert got in {whole, ""} or (got.endswith(ELLIPSIS) and whole.startswith(got[:-1]))


@given(headers, limits)
def test_the_snippet_goes_first_then_the_subject_then_the_name(header, limit):
    read = unpack_header(pack_header(header, limit=limit))
    order = ("snippet", "subject", "from_name", "detail", "from_address")
    shorter = [getattr(header, field) != getattr(read, field) for field in order]
    nonempty = [bool(getattr(header, field)) for field in order]
    last_cut = max((i for i, was in enumerate(shorter) if was), default=-1)
    assert all(shorter[i] or not nonempty[i] for i in range(last_cut))


@given(headers, limits)
def test_the_snippet_keeps_all_the_room_there_is(header, limit):
    read = unpack_header(packed := pack_header(header, limit=limit))
    only_snippet = read.subject == header.subject and read.snippet != header.snippet
    if only_snippet and len(header.snippet) > 20 and header.snippet.isascii() and " " not in header.snippet:
        assert len(packed) >= limit - 3


@given(st.lists(st.sampled_from(JOINED), max_size=60), st.integers(0, 300))
@example([FLAG] * 40, 40)
@example([FLAG] * 40, 44)
def test_a_cut_splits_no_joined_character(characters, budget):
    shown = cut("".join(characters), budget_bytes=budget)
    starts = {"", "".join(characters)} | {
        "".join(characters[:end]).rstrip() + ELLIPSIS for end in range(1, len(characters) + 1)
    }
    assert shown in starts
    assert len(msgpack.packb(shown)) - len(msgpack.packb("")) <= budget
    assert unicodedata.is_normalized("NFC", shown) or not unicodedata.is_normalized("NFC", "".join(characters))


@pytest.mark.parametrize(("days", "kept"), [(0, False), (1, False), (-1, False), (1.01, True), (-1.01, True)])
def test_the_senders_date_is_said_only_when_it_is_more_than_a_day_off(days, kept):
    arrival_ms = 1_763_813_056_789
    date = arrival_ms // 1000 + int(days * 86_400)
    assert sender_date(date, arrival_ms=arrival_ms) == (date if kept else None)


def test_no_date_stays_none():
    assert sender_date(None, arrival_ms=1) is None
