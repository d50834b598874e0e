"""What of rules and storms reaches a screen: list ids, the views of a storm, the line of text, the bell."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.contract import wire
from bridge.mail import headers
from bridge.model import Flag, Header, Storm
from clients.box.inbox import Shown
from clients.contract.header import decode_header
from clients.journal.file import Journal
from clients.relay import Relay
from clients.seen import SeenRequests
from clients.terminal.output import Output
from clients.terminal.screen import PlainScreen
from clients.terminal.watch.display import Effects, WatchDisplay

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
STORMS = [pytest.param(item, id=item["name"]) for item in json.loads((VECTORS / "storms.json").read_text("utf-8"))]
TURNS = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]


def storm_of(vector):
    return Storm(vector["more"], vector["from_name"], vector["from_address"])


@pytest.mark.parametrize("vector", STORMS)
def test_a_storm_is_written_as_the_vector_says(vector):
    storm = storm_of(vector)
    newest = None if vector["newest"] is None else Header(0, *vector["newest"], 1)
    assert json.loads(wire.storm_event_view(storm, user=vector["user"])) == vector["event"]
    assert wire.text_view(newest, storm).decode() == vector["text"]


# --- the line of text -----------------------------------------------------------------------------


@pytest.mark.parametrize("turn", TURNS, ids=ascii)
def test_a_subject_cannot_change_places_with_the_senders_name(turn):
    header = Header(0, "Mallory", "m@example.net", f"{turn}knaB :{turn}", f"a{turn}b", 1)
    assert wire.text_view(header).decode() == "Mallory: knaB : – ab"


def test_letters_of_right_to_left_scripts_and_their_marks_stay():
    header = Header(0, "דוד", "d@example.org", "שלום \u200fעולם\u200e", "", 1)
    assert wire.text_view(header).decode() == "דוד: שלום \u200fעולם\u200e"


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
    line = wire.text_view(header, storm).decode()
    assert len(line) <= wire.TEXT_VIEW_CHARACTERS
    assert not set(line) & set(TURNS)
    assert bool(line) == (header is not None or storm is not None)
    if storm is not None:
        assert f"({storm.more} more" in line


# --- list ids -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "list_id"),
    [
        (b"", ""),
        (b"List-Id: <weekly.news.example>\n", "weekly.news.example"),
        (b'List-Id: "All <the> news" <Weekly.News.Example>\n', "weekly.news.example"),
        (b"List-ID: The news\n <weekly.news.example> \n", "weekly.news.example"),
        (b"List-Id: weekly.news.example\n", "weekly.news.example"),
        (b"List-Id: =?utf-8?q?News?= <weekly.news.example>\n", "weekly.news.example"),
        (b"List-Id: two words\n", ""),
        (b"List-Id: <>\n", ""),
        (b"List-Id: <" + b"a" * 300 + b">\n", ""),
    ],
)
def test_the_id_of_a_list_is_read(field, list_id):
    raw = field + b"From: a@example.org\n\nhello\n"
    assert headers.extract(raw, size=len(raw)).list_id == list_id


# --- the bell -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "rings"), [(0, 1), (Flag.URGENT, 1), (Flag.SILENT, 0), (Flag.SILENT | Flag.BULK, 0)])
def test_silent_mail_is_shown_without_the_bell(tmp_path, flags, rings):
    rung, output = [], tmp_path / "out"
    payload = wire.pack_header(Header(flags, "Ada", "ada@example.org", "Plan", "", 1), limit=512)
    with Journal(tmp_path / "state") as journal, output.open("wb") as stream:
        display = WatchDisplay(
            journal=journal,
            output=Output(stream.fileno()),
            screen=PlainScreen(with_gone=False),
            seen=SeenRequests(next_request_id=itertools.count().__next__, jitter=lambda: 0.5),
            relay=Relay(tmp_path / "sock"),
            effects=Effects(bell=lambda: rung.append(1), hook=None, mark_seen=False),
            notice=pytest.fail,
            clock=time.monotonic,
        )
        display.show(Shown("00t64ks8n", decode_header(payload), payload))
    assert len(rung) == rings
    assert "Ada: Plan" in output.read_text()
    assert ("silent" in output.read_text()) is (rings == 0)
