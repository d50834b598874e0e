"""The box digest and the views: of a mail, of a storm, and the line that any MQTT app can show."""

from __future__ import annotations

import json
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import ids
from bridge.contract.views import (
    TEXT_VIEW_CHARACTERS,
    event_view,
    last_view,
    pack_digest,
    storm_event_view,
    text_view,
)
from bridge.graphemes import ELLIPSIS
from bridge.model import Header, Storm
from tests.unit.bridge.contract.strategies import JOINED, headers

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
STORMS = [pytest.param(item, id=item["name"]) for item in json.loads((VECTORS / "storms.json").read_text("utf-8"))]
TURNS = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@given(st.lists(st.sampled_from(JOINED), min_size=30, max_size=300))
def test_the_text_view_is_one_line_of_at_most_200_characters_that_splits_none(characters):
    subject = "".join(characters)
    line = text_view(Header(0, "A", "", subject, "", 1)).decode()
    assert len(line) <= 200
    assert "\n" not in line
    if line != f"A: {subject}":
        starts = {f"A: {''.join(characters[:end])}".rstrip() + ELLIPSIS for end in range(len(characters))}
        assert line in starts


def test_the_text_view_names_what_is_missing():
    assert text_view(Header(0, "", "", "", "", 1)) == b"(unknown sender): (no subject)"
    assert text_view(Header(0, "", "a@b", "s", "t", 1)).decode() == "a@b: s – t"


@given(headers, st.integers(0, 2**44))
def test_views_are_json_on_one_line(header, number):
    for view in (last_view(number, header), event_view(number, header, user="alice")):
        assert b"\n" not in view
        value = json.loads(view)
        assert value["id"] == ids.encode(number)
        assert value["subject"] == header.subject


@given(st.sets(st.integers(0, 2**45 - 1), max_size=50), st.randoms())
def test_a_digest_does_not_depend_on_the_order_and_changes_with_each_id(numbers, random):
    live = [ids.encode(number) for number in numbers]
    digest = pack_digest(live)
    random.shuffle(live)
    assert pack_digest(live) == digest
    if live:
        assert pack_digest(live[1:]) != digest
        assert msgpack.unpackb(digest)[::3] == [1, max(live)]


# --- storms ---------------------------------------------------------------------------------------


def header_of(name: str, address: str, subject: str, snippet: str) -> Header:
    return Header(0, name, address, subject, snippet, 1)


def storm_of(vector):
    return Storm(vector["more"], vector["from_name"], vector["from_address"])


@pytest.mark.parametrize("vector", STORMS)
def test_a_storm_is_written_as_the_vector_says(vector):
    storm = storm_of(vector)
    newest = None if vector["newest"] is None else header_of(*vector["newest"])
    assert json.loads(storm_event_view(storm, user=vector["user"])) == vector["event"]
    assert text_view(newest, storm).decode() == vector["text"]


# --- the line of text -----------------------------------------------------------------------------


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_a_subject_cannot_change_places_with_the_senders_name(turn):
    header = Header(0, "Mallory", "m@example.net", f"{turn}knaB :{turn}", f"a{turn}b", 1)
    assert text_view(header).decode() == "Mallory: knaB : – ab"


def test_letters_of_right_to_left_scripts_and_their_marks_stay():
    header = Header(0, "דוד", "d@example.org", "שלום \u200fעולם\u200e", "", 1)
    assert text_view(header).decode() == "דוד: שלום \u200fעולם\u200e"


texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(TURNS), max_size=250)
some_headers = st.builds(
    Header,
    flags=st.just(0),
    from_name=texts,
    from_address=texts,
    subject=texts,
    snippet=texts,
    size=st.just(1),
)
storms = st.builds(Storm, st.integers(1, 10**6), st.none() | texts, st.none() | texts)


@given(st.none() | some_headers, st.none() | storms)
def test_the_line_is_short_and_turns_nothing_and_says_how_many_more(header, storm):
    line = text_view(header, storm).decode()
    assert len(line) <= TEXT_VIEW_CHARACTERS
    assert not set(line) & set(TURNS)
    assert bool(line) == (header is not None or storm is not None)
    if storm is not None:
        assert f"({storm.more} more" in line


STORMING = st.none() | st.builds(Storm, st.integers(1, 10**6), st.none() | st.text(), st.none())


@given(headers, STORMING, st.integers(8, 900))
def test_the_line_is_within_what_small_devices_take(header, storm, limit):
    line = text_view(header, storm, limit=limit)
    assert len(line) <= limit
    if len(text_view(header, storm)) <= limit:
        assert line == text_view(header, storm)
