"""What a file, a variable or a program says, read as a value of its kind or refused with the cure."""

from __future__ import annotations

from enum import StrEnum

import pytest

from bridge.config.kinds import NUMBER, SWITCH, TEXT, TEXTS, WHOLE, Kind, one_of, several
from bridge.config.unusable import UnusableError

INFINITE, NONE = float("inf"), float("nan")


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


COLOUR = one_of(*Colour)


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        (WHOLE, 7, 7),
        (WHOLE, 10**25, 10**25),
        (WHOLE, 7.0, 7),
        (WHOLE, " 1_000 ", 1000),
        (WHOLE, "-5", -5),
        (WHOLE, "100.0", 100),
        (NUMBER, 7, 7.0),
        (NUMBER, "0.5", 0.5),
        (NUMBER, INFINITE, INFINITE),
        (SWITCH, True, True),
        (SWITCH, 0, False),
        (SWITCH, "Yes", True),
        (SWITCH, "off", False),
        (TEXT, "", ""),
        (COLOUR, "red", Colour.RED),
        (COLOUR, Colour.BLUE, Colour.BLUE),
        (one_of("3.1.1", "5"), "5", "5"),
        (TEXTS, ["a", "b"], ("a", "b")),
        (TEXTS, ("a",), ("a",)),
        (TEXTS, "a, b,", ("a", "b")),
        (TEXTS, ' ["a, b"]', ("a, b",)),
        (several("numbers", WHOLE), "1, 2", (1, 2)),
    ],
)
def test_a_value_is_read(kind, said, value):
    read = kind.read(said)
    assert (read, type(read)) == (value, type(value))
    assert kind.read(read) == read, "what was read already is taken as it is"


@pytest.mark.parametrize(
    ("kind", "said", "message"),
    [
        (WHOLE, "x", "not a whole number; write one, as 100"),
        (WHOLE, "1.5", "not a whole number; write one, as 100"),
        (WHOLE, 1.5, "not a whole number; write one, as 100"),
        (WHOLE, 1e300, "not a whole number; write one, as 100"),
        (WHOLE, INFINITE, "not a whole number; write one, as 100"),
        (WHOLE, "9" * 5000, "too large; write a smaller number"),
        (WHOLE, True, "not a whole number; write one without quotes, as 100"),
        (WHOLE, [1], "not a whole number; write one without quotes, as 100"),
        (NUMBER, "x", "not a number; write one, as 7 or 0.5"),
        (NUMBER, NONE, "not a number; write one, as 7 or 0.5"),
        (NUMBER, 10**400, "not a number; write one, as 7 or 0.5"),
        (NUMBER, False, "not a number; write one without quotes, as 7 or 0.5"),
        (SWITCH, 2, "neither true nor false; write true or false without quotes"),
        (SWITCH, "maybe", "neither true nor false; write true or false without quotes"),
        (SWITCH, 1.0, "neither true nor false; write true or false without quotes"),
        (TEXT, 7, 'not a text; write it in quotes, as "this"'),
        (COLOUR, "green", "not one of the choices; write 'red' or 'blue'"),
        (COLOUR, ["red"], "not one of the choices; write 'red' or 'blue'"),
        (one_of("a", "b", "c"), "", "not one of the choices; write 'a', 'b' or 'c'"),
        (TEXTS, 7, 'not a list; write one in brackets, as ["this", "that"]'),
        (TEXTS, '["a"', 'not a list; write this, that, or ["this", "that"]'),
    ],
)
def test_what_cannot_be_is_told_with_the_cure(kind, said, message):
    with pytest.raises(ValueError) as told:  # noqa: PT011 - all of it is compared
        kind.read(said)
    assert str(told.value) == message


def test_each_element_of_a_list_that_cannot_be_is_told_with_its_place():
    with pytest.raises(UnusableError) as told:
        several("lists", TEXTS).read([["a", 1], ["b"], 7])
    assert [(each.key, each.problem, each.value) for each in told.value.wrong] == [
        ((0, 1), "not a text", 1),
        ((2,), "not a list", 7),
    ]


def test_a_cure_alone_is_told_as_such():
    def refuse(_):
        raise ValueError("write it otherwise")

    with pytest.raises(UnusableError) as told:
        several("things", Kind("thing", refuse)).read(["x"])
    (wrong,) = told.value.wrong
    assert (wrong.problem, wrong.cure) == ("not as it should be", "write it otherwise")


def test_a_choice_is_called_by_what_may_be_written():
    assert COLOUR.name == '"red" or "blue"'
    assert one_of("a", "b", "c").name == '"a", "b" or "c"'
