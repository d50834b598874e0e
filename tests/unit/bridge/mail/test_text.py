"""Text that may be shown is clean, whole and within its limits."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge import graphemes
from bridge.mail import text
from tests.support.processor import least_s


def test_one_line_keeps_what_the_sender_wrote_but_controls():
    assert text.one_line("a\x00b\tc\r\nd\u2028e  f ", limit=99) == "ab c d e f"
    assert text.one_line("invoice \u202excod.exe", limit=99) == "invoice \u202excod.exe"
    assert text.one_line("a\ud800b\x85c\x9f", limit=99) == "ab c"


def test_prose_keeps_scripts_and_emoji_whole_and_drops_padding():
    assert text.prose("Hi\u034f \u200c \u00ad\ufeff \u200b there", limit=99) == "Hi there"
    assert text.prose("שלום\u200f!", limit=99) == "שלום\u200f!"
    assert text.prose("می\u200cخواهم", limit=99) == "می\u200cخواهم"
    assert text.prose("👩\u200d👩\u200d👧 🏳️\u200d🌈", limit=99) == "👩\u200d👩\u200d👧 🏳️\u200d🌈"
    assert text.prose("pay\u200dpal \u202eevil\u202c", limit=99) == "paypal evil"


def test_paragraphs_keep_lines():
    assert text.paragraphs("\r\n a\t b \r\n\r\n\r\n\r\nc\x00\rd\n", limit=99) == " a     b\n\nc\nd"


def test_towers_of_marks_cost_linear_time():
    tower = "a" + "\u0301\u0327" * 250_000
    assert len(text.paragraphs(tower, limit=1_000_000)) < 40
    assert least_s(lambda: text.paragraphs(tower, limit=1_000_000), bound_s=2) < 2


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_clean_text_stays_within_its_limit(value, limit):
    for clean in (text.one_line, text.identity, text.prose):
        shown = clean(value, limit=limit)
        assert len(shown) <= limit
        assert unicodedata.is_normalized("NFC", shown)
        assert clean(shown, limit=limit) == shown


@pytest.mark.parametrize("marks", ["\u0301\u0327", "\U0001d165\u0301", "\U0001e944\U000101fd"])
def test_a_run_of_marks_is_cut_to_what_is_stream_safe_whatever_its_script(marks):
    told = text.paragraphs("." + marks * 100 + "/" + marks * 10, limit=1000)
    runs = told.removeprefix(".").split("/")
    assert [len(run) for run in runs] == [30, 20]


def test_scripts_between_the_marks_are_left_alone():
    told = chr(0x12000) * 100 + "é" * 100
    assert text.paragraphs(told, limit=1000) == told


def test_tabs_do_not_make_text_longer_than_its_limit():
    assert text.paragraphs("a" + "\t" * 100 + "b", limit=101) == "a…"
    assert text.paragraphs("\ta" * 100, limit=200) == "    a" * 39 + "…"


FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
UNSEEN = [" ", "\u2003", "\u200b", "\u00ad\ufeff", "\n\t", "\x00", "\u200d", "\u200e"]
SEEN = [
    "a",
    "word ",
    "\u00e9",
    "e\u0301",
    "\u5b57",
    "\u1112\u1161\u11ab",
    "\u0645",
    "\u0915\u094d\u0937",
    FLAGS,
    FAMILY,
    "\u0600",
]
runs = st.tuples(st.sampled_from(UNSEEN), st.integers(1, 3_000))
words = st.tuples(st.sampled_from(SEEN + UNSEEN), st.integers(1, 9))
texts = st.lists(st.one_of(words, words, words, runs), max_size=12).map(
    lambda pieces: "".join(piece * count for piece, count in pieces)
)
CLEANERS = [text.one_line, text.identity, text.prose]


def all_cleaned(clean, value: str) -> str:
    """What there is to clip: no limit that matters, and all of it read."""
    return clean(value, limit=10_000_000)


@pytest.mark.parametrize("clean", CLEANERS)
@given(texts, st.integers(1, 60))
@example("A" + " " * 2_254 + FLAGS, 500)
@example("Hi there " + "\u200b" * 1_846 + FLAGS + " and more", 400)
@example("\U0001f1e9" + "\u200b" * 600 + "\U0001f1ea\U0001f1e9", 2)
@example("x" * 20 + " " * 600, 20)
def test_a_line_is_all_of_the_text_cleaned_and_clipped(clean, value, limit):
    if len(value) <= text._MOST_READ:
        assert clean(value, limit=limit) == graphemes.clip(all_cleaned(clean, value), limit)


@pytest.mark.parametrize("clean", CLEANERS)
@given(texts, texts, st.integers(2, 60))
def test_of_a_text_without_end_a_line_ends_in_whole_characters(clean, start, rest, limit):
    value = start + " \u200b" * text._MOST_READ + rest + "z"
    shown = clean(value, limit=limit)
    assert len(shown) <= limit
    told = all_cleaned(clean, value)
    assert shown.endswith("…") or (not shown and not graphemes.whole(told, limit - 1))
    assert shown in {"", "…"} or any(graphemes.whole(told, len(shown) - end).rstrip() == shown[:-1] for end in (0, 1))


@pytest.mark.parametrize("clean", CLEANERS)
@pytest.mark.parametrize("unseen", [" ", "\u2003", "\n", "\u2028 "])
def test_white_space_without_end_loses_no_word_before_it(clean, unseen):
    assert clean("A" + unseen * 20_000 + FLAGS, limit=500) == "A…"
    assert clean(unseen * 20_000 + "A", limit=500) == "A"


@pytest.mark.parametrize("clean", [text.identity, text.prose])
def test_of_what_nobody_sees_without_end_something_is_told(clean):
    assert clean("\u200b" * 20_000 + "A", limit=500) == "…"
    assert clean("Al" + "\u200b" * 20_000 + FLAGS, limit=500) == "A…"
    assert clean("\u200b" * 20_000, limit=500) in {"", "…"}


def test_a_text_that_was_cut_off_says_so():
    assert text.one_line("a b\U0001f1e9", limit=9, more=True) == "a b…"
    assert text.one_line("a bc", limit=4, more=True) == "a b…"
    assert text.cut("a " + FLAGS[:3]) == "a " + FLAGS[:2] + "…"
    assert text.paragraphs("a\r\nb" + FLAGS[:3], limit=99, more=True) == "a\nb" + FLAGS[:2] + "…"
    assert text.paragraphs("abc" + FLAGS, limit=6) == "abc" + FLAGS[:2] + "…"
    assert text.paragraphs("\n\n a\n\n\n" + " " * 9, limit=9) == " a…"


@given(texts, st.integers(1, 200))
def test_paragraphs_stay_within_their_limit_and_say_what_is_cut(value, limit):
    shown = text.paragraphs(value, limit=limit)
    assert len(shown) <= limit
    if len(value) > limit:
        assert shown == "" or shown.endswith("…")
    else:
        assert shown in {
            text.paragraphs(value, limit=10_000_000),
            graphemes.clip(text.paragraphs(value, limit=10_000_000), limit),
        }


@pytest.mark.parametrize(
    "unit", [" ", "a", "\u200b", FLAGS, FAMILY, "e\u0301\u0327", "\u0600", "\u5b57", "\u200d", "\u2003\x00"]
)
def test_lines_cost_no_more_for_texts_without_end(unit):
    value = "\u00e9" + unit * 1_000_000
    assert least_s(lambda: [clean(value, limit=500) for clean in CLEANERS], bound_s=0.5) < 0.5  # measured below 0.1
