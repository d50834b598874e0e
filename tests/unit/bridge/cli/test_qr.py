from __future__ import annotations

import re

import pytest
import segno

from bridge.cli import qr

TEXT = "mqtts://alice.phone:lv-HLSh-BRMujsFKN-UslYh_WtI@mail.example.org:8883"
HALVES = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}


def modules(drawing):
    """What is drawn with ink, row by row."""
    rows = []
    for line in drawing.splitlines():
        halves = [HALVES[letter] for letter in line]
        rows += [[upper for upper, _ in halves], [lower for _, lower in halves]]
    return rows


def meant():
    code = [[module != 0 for module in row] for row in segno.make(TEXT, micro=False).matrix_iter(border=4)]
    return code + [[False] * len(code[0])] * (len(code) % 2)


def test_in_colours_ink_is_dark_and_every_line_brings_its_own_paper_and_takes_it_away():
    lines = qr.drawn(TEXT, coloured=True).splitlines()
    inner = [re.fullmatch(r"\x1b\[38;5;16;48;5;231m([█▀▄ ]+)\x1b\[0m", line) for line in lines]
    assert None not in inner
    assert modules("\n".join(line.group(1) for line in inner)) == meant()


def test_without_colours_blocks_are_light():
    assert modules(qr.drawn(TEXT, coloured=False)) == [[not dark for dark in row] for row in meant()]


def test_the_quiet_zone_is_four_modules_wide():
    rows = modules(qr.drawn(TEXT, coloured=False))
    assert all(all(row) for row in (*rows[:4], *rows[-4:]))
    assert all(all((*row[:4], *row[-4:])) for row in rows)
    assert not all(rows[4])


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
    ids=["terminal", "NO_COLOR", "pipe"],
)
def test_what_is_shown_has_colours_only_where_they_are_wanted(environment, coloured, monkeypatch, capsys):
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    qr.show(TEXT)
    assert capsys.readouterr().out == qr.drawn(TEXT, coloured=coloured) + "\n"
