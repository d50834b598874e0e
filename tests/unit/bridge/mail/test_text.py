"""Text that may be shown is clean, whole and within its limits."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.mail import text


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
    begin = time.process_time()
    shown = text.paragraphs("a" + "\u0301\u0327" * 250_000, limit=1_000_000)
    assert time.process_time() - begin < 2
    assert len(shown) < 40


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
    assert text.paragraphs("a" + "\t" * 100 + "b", limit=101) == "a"
