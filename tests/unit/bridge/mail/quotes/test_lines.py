"""Lines as they are judged: quoted or not, without what nobody sees, marked where a page says so."""

from __future__ import annotations

import pytest

from bridge.mail.quotes import lines
from bridge.mail.quotes.lines import BEGIN, END, HERE, LOOSE, SIGNED, Line


def texts(body):
    return [(line.text, line.depth) for line in lines.read(body) if line.text]


@pytest.mark.parametrize(
    ("line", "text", "depth"),
    [
        ("> a", "a", 1),
        (">> > a", "a", 3),
        ("|> a", "a", 1),
        (">a", "a", 1),
        (" > a ", "a", 1),
        (">", "", 1),
        (">:", ">:", 0),
        ("> :", "> :", 0),
        ("\ufeff> a", "a", 1),
        ("a > b", "a > b", 0),
        ("\u200eOn 11 April\u202c:", "On 11 April:", 0),
        ("| From | Per <p@x.example> |", "From: Per <p@x.example>", 0),
        (">" * 400 + " a", ">" * 350 + " a", 50),
    ],
)
def test_a_line_is_judged_without_its_signs(line, text, depth):
    (read,) = lines.read(line)
    assert (read.text, read.depth) == (text, depth)


def test_what_is_shown_keeps_its_direction_marks():
    (line,) = lines.read(" \u200fשלום ")
    assert line.shown == "\u200fשלום"
    assert line.text == "שלום"


def test_cells_are_lines_but_for_a_label_and_its_value():
    assert texts("a\tb\n\tc") == [("a", 0), ("b", 0), ("c", 0)]
    assert texts("Subject: \tBoiler") == [("Subject:  Boiler", 0)]


def test_a_page_s_quotes_are_as_deep_as_they_are_nested():
    body = f"a\n{BEGIN}b{BEGIN}c{END}d\n{END}e{END}f"
    assert texts(body) == [("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 0), ("f", 0)]
    assert texts(BEGIN * 99 + "a") == [("a", 50)]


def test_what_is_indented_is_no_quote_yet():
    assert [line for line in lines.read(f"{LOOSE}a{END}b") if line.text] == [Line("a", "a", loose=True), Line("b", "b")]


def test_places_are_lines_of_their_own():
    read = lines.read(f"a{HERE}b{SIGNED}c")
    assert [(line.text, line.mark, line.signed) for line in read if line.text or line.mark or line.signed] == [
        ("a", False, False),
        ("", True, False),
        ("b", False, False),
        ("", False, True),
        ("c", False, False),
    ]


def test_what_is_quoted_comes_one_level_up_with_lines_that_a_program_broke():
    read = lines.unquoted(lines.read("a\n> b\nc\n>> d\n\ne"))
    assert [(line.text, line.depth) for line in read] == [("b", 0), ("c", 0), ("d", 1)]
    assert lines.unquoted(lines.read("a\nb")) == []


def test_so_many_lines_are_read():
    read = lines.read("\n".join(["a"] * 2_000))
    assert len(read) == 1_000
    assert read[-1].text == "a…"
    assert len(lines.read("a\n\n\n" * 400)) == 800
