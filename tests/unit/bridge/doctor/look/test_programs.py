"""Asking a program is bounded, whatever it does."""

from __future__ import annotations

import pytest

from bridge.doctor.look.programs import ProgramSaid, ask


def test_what_it_says_on_both_outputs_is_heard():
    answer = ask(("sh", "-c", "cat; echo no >&2; exit 3"), within_s=20, given=b"word\n")
    assert answer == ProgramSaid("word\nno\n", 3)
    assert answer.last == "no"
    assert ProgramSaid("\n", 3).last == "it ended with 3"


def test_one_that_does_not_end_is_ended():
    answer = ask(("sh", "-c", "echo first; exec sleep 60"), within_s=0.5)
    assert (answer.said, answer.whole) == ("first\n", False)
    assert not ask(("sleep", "60"), within_s=0).whole


def test_one_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        ask(("/no/such/program",), within_s=1)
