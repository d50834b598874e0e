"""A cut falls between the characters that readers see, whatever the text and the limit."""

from __future__ import annotations

import sys
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge import graphemes
from tests.support.processor import least_s

GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"
SEEN_AS_ONE = {
    "a flag": GERMANY,
    "another flag": FRANCE,
    "a flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a joined flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "a profession with a skin tone": "\U0001f469\U0001f3fd\u200d\U0001f680",
    "a skin tone": "\U0001f44d\U0001f3ff",
    "a keycap": "1\ufe0f\u20e3",
    "a symbol shown as emoji": "\u2764\ufe0f",
    "a letter with its marks": "e\u0323\u0302",
    "a letter with a mark around it": "a\u20dd",
    "a vowel sign": "\u0928\u093f",
    "an Indic conjunct": "\u0915\u094d\u0937",
    "an Indic conjunct with a joiner": "\u0915\u094d\u200d\u0937",
    "Thai with a vowel": "\u0e01\u0e33",
    "Hangul jamo": "\u1112\u1161\u11ab",
    "a syllable with a final jamo": "\ud558\u11ab",
    "an Arabic number sign and its digit": "\u06001",
    "a CR and its LF": "\r\n",
}
"""What must never come apart; put side by side none of them joins the next."""

characters = st.lists(st.sampled_from([*SEEN_AS_ONE.values(), "a", "\u00e9", "\u5b57", " "]), max_size=60)


def starts(pieces: list[str]) -> set[str]:
    """Every text that a cut between two of these characters leaves, the mark of the cut included."""
    kept = {"".join(pieces[:end]).rstrip() for end in range(len(pieces) + 1)}
    return {start + graphemes.ELLIPSIS for start in kept if start} | {"", "".join(pieces)}


@pytest.mark.parametrize("character", SEEN_AS_ONE.values(), ids=list(SEEN_AS_ONE))
@pytest.mark.parametrize("before", ["", "x", "x ", GERMANY, GERMANY + FRANCE])
def test_it_stays_whole_at_every_end(character, before):
    text = before + character + "z"
    for end in range(len(before), len(text)):
        assert graphemes.whole(text, end) == (text[:-1] if end == len(text) - 1 else before)


@given(characters, st.integers(0, 200))
def test_clipped_text_is_whole_characters_within_its_limit(pieces, limit):
    text = "".join(pieces)
    clipped = graphemes.clip(text, limit)
    assert clipped in starts(pieces)
    assert len(clipped) <= limit
    assert clipped == text or len(text) > limit


@given(characters, st.integers(0, 600))
@example([GERMANY] * 40, 40)
@example([GERMANY] * 40, 44)
def test_bytes_are_clipped_to_whole_characters_too(pieces, limit):
    text = "".join(pieces)
    clipped = graphemes.clip_bytes(text, limit)
    assert clipped in starts(pieces)
    assert len(clipped.encode()) <= limit
    assert clipped == text or len(text.encode()) > limit


@given(characters, st.integers(0, 200))
def test_no_more_is_cut_than_must_be(pieces, limit):
    text = "".join(pieces)
    room = limit - len(graphemes.ELLIPSIS)
    ends = accumulate(map(len, pieces), initial=0)
    kept = text[: max(end for end in ends if end <= max(room, 0))].rstrip()
    if len(text) > limit:
        assert graphemes.clip(text, limit) == (kept + graphemes.ELLIPSIS if kept else "")


@given(st.text(), st.integers(-1, 40))
@example("\u0600 \u0301", 2)
def test_any_text_is_cut_to_a_start_of_its_own(text, end):
    kept = graphemes.whole(text, end)
    assert text.startswith(kept)
    assert len(kept) <= max(end, 0)
    assert graphemes.whole(text, len(kept)) == kept


def test_what_was_cut_says_so():
    assert graphemes.clip("abc def", 7) == "abc def"
    assert graphemes.clip("abc def", 5) == "abc…"
    assert graphemes.clip_bytes("äb def", 7) == "äb def"
    assert graphemes.clip_bytes("äb def", 6) == "äb…"


def test_half_a_flag_is_no_flag():
    assert graphemes.clip("a" * 198 + GERMANY + FRANCE, 200) == "a" * 198 + graphemes.ELLIPSIS
    assert graphemes.clip("a" * 197 + GERMANY + FRANCE, 200) == "a" * 197 + GERMANY + graphemes.ELLIPSIS


def test_one_endless_character_leaves_nothing():
    assert graphemes.clip("a" + "\u0301" * 300, 200) == ""
    assert graphemes.clip_bytes("\U0001f469\u200d" * 300, 200) == ""


@pytest.mark.parametrize(
    "piece", ["a", "\u0301", GERMANY, "\U0001f469\u200d", "\u0600", "\u0600 ", " \u0301", "\u5b57"]
)
def test_a_long_text_costs_linear_time(piece):
    text = piece * 200_000

    def work():
        for end in (1, 1_000, len(text) // 2, len(text) - 1):
            graphemes.whole(text, end)

    assert least_s(work, bound_s=2) < 2


def test_where_a_cut_falls_is_the_same_on_every_python():
    """Unicode 16 made this a letter that joins; the tables of Python 3.11 know Unicode 14."""
    assert graphemes.whole("a\U00011f41", 1) == "", sys.version
