"""How commands print: a table for people at a terminal, plain lines into a pipe, words where there is nothing."""

from __future__ import annotations

import pytest

from bridge.cli.output import print_table

ROWS = [("alice", "2"), ("bob", "17")]


@pytest.mark.parametrize(
    ("terminal", "printed"),
    [("1", "name   mails\nalice  2\nbob    17\n"), ("0", "alice\t2\nbob\t17\n")],
)
def test_a_table(monkeypatch, capsys, terminal, printed):
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    print_table(("name", "mails"), ROWS, empty="nobody yet")
    assert "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines()) + "\n" == printed


def test_an_empty_table_says_what_to_do(capsys):
    print_table(("name",), [], empty="nobody yet")
    assert capsys.readouterr().out == "nobody yet\n"
