"""Names for attachments: whatever a mail calls one, its file is in the directory, visible, and no device."""

from __future__ import annotations

import unicodedata
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.terminal.read.names import MOST_BYTES, alternatives, safe_name


def named(text, content_type="application/pdf"):
    return safe_name(text, index=7, content_type=content_type)


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("plan.pdf", "plan.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\plan.pdf", "plan.pdf"),
        ("/etc/cron.d/", "part-7.pdf"),
        (".bashrc", "bashrc"),
        ("..", "part-7.pdf"),
        ("-rf", "rf"),
        ("~root", "root"),
        ("  two   words .txt. ", "two words .txt"),
        ("a\x00b\x1b[31m\u202egnp.exe", "ab[31mgnp.exe"),
        ("a:b*c?.txt", "a_b_c_.txt"),
        ("nul.txt", "_nul.txt"),
        ("Com1", "_Com1"),
        ("com10.txt", "com10.txt"),
        ("u\u0308ber.txt", "\u00fcber.txt"),
        ("", "part-7.pdf"),
    ],
)
def test_a_name_becomes_one_that_may_be_written(given_name, safe):
    assert named(given_name) == safe


def test_what_has_no_name_is_called_after_its_type():
    assert named("", "message/rfc822") == "part-7.eml"
    assert named("", "application/x-unknown") == "part-7.bin"


def test_a_long_name_is_cut_before_its_suffix_and_between_characters():
    cut = named("ü" * 300 + ".tar.gz")
    assert cut.endswith("ü.gz")
    assert MOST_BYTES - 2 < len(cut.encode()) <= MOST_BYTES
    assert len(named("x." + "y" * 300).encode()) == MOST_BYTES


@given(st.text(max_size=400))
def test_no_name_leaves_the_directory_or_hides_in_it(text):
    name = named(text)
    assert name == Path(name).name
    assert name[0] not in ".-~ "
    assert 0 < len(name.encode("utf-8", "strict")) <= MOST_BYTES + 1
    assert not any(unicodedata.category(char)[0] == "C" for char in name)


def test_where_a_name_is_taken_there_are_others():
    assert list(islice(alternatives("plan.tar.gz"), 3)) == ["plan.tar.gz", "plan.tar (2).gz", "plan.tar (3).gz"]
    assert list(islice(alternatives("README"), 2)) == ["README", "README (2)"]
