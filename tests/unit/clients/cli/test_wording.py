"""What is said of a value on the command line that cannot be: no word of a library."""

from __future__ import annotations

import sys

import pytest

from clients.cli import commands
from clients.cli.wording import put


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("watch a/b --keepalive 5", "'5': too small; write 10 or more"),
        ("watch a/b --keepalive 65536", "'65536': too large; write 65535 or less"),
        ("watch a/b --keepalive x", "'x': not a whole number; write one, as 100"),
        ("read a/b 00t64ks8n --part -1", "'-1': too small; write 0 or more"),
        ("read a/b 00t64ks8n --timeout 0.5", "'0.5': too small; write 1 or more"),
        ("read a/b 00t64ks8n --timeout x", "'x': not a number; write one, as 7 or 0.5"),
    ],
)
def test_a_number_that_cannot_be_is_told_with_what_can(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["clients", *words.split()])
    assert commands.run() == 2
    assert f"{words.split()[-2]}': {said}" in capsys.readouterr().err


def test_what_has_no_words_here_is_told_as_it_is():
    assert (
        put("value_error", "Value error, 'x' is not one of 'a', 'b'.", {}, value="x") == "'x' is not one of 'a', 'b'."
    )
    assert put("greater_than", "", {"gt": 0.5}, value=0) == "0: too small; write more than 0.5"
