"""The box as a list: everything a mail says is literal, and columns stand under one another."""

from __future__ import annotations

import io
import json
from datetime import UTC

import pytest
from rich.cells import cell_len
from rich.console import Console

from clients.contract.header import Header
from clients.terminal.inbox.listing import Listed, as_columns, as_json, as_lines, line

HOSTILE = "[/nope] [bold]x[/bold] [@click=app.exit(7)]boom[/] \u202egpj.exe"
ROWS = [
    Listed(1, "00t64ks8n", Header(1025, "Ada", "ada@example.org", HOSTILE, "See the drawing.", 70_000)),
    Listed(2, "00t64ks8p", Header(2, "会议室管理员通知", "a@b.example", "会议纪要:明天下午三点", "你好" * 90)),
    Listed(13, "00t64ks8q", Header(512, "مدير النظام", "", "مرحبا بالعالم", "هذا اختبار " * 20)),
    Listed(14, "00t64ks8r", Header(0, "👩‍👩‍👧‍👦 🇩🇪 ❤️ e\u0301\u0301", "", "👍🏽 " * 40, "")),
    Listed(150, "00t64ks8s", None),
    Listed(151, "00t64ks8t", Header()),
]


@pytest.mark.parametrize("width", [60, 72, 80, 100, 132, 200])
def test_columns_stand_under_one_another(width):
    lines = [line(row, width=width, digits=3, zone=UTC).plain for row in ROWS]
    assert all(cell_len(each) <= width for each in lines)
    room = max(8, min(28, width // 4))
    starts = set()
    for row, text in zip(ROWS, lines, strict=True):
        head = text.index("11-22") + len("11-22 12:04  ")
        sender_ends = max(at for at in range(head, len(text)) if cell_len(text[:at]) <= cell_len(text[:head]) + room)
        starts.add((cell_len(text[:head]), cell_len(text[:sender_ends]), text[sender_ends : sender_ends + 2]))
        assert text.startswith(f"{row.number:>3} ")
    assert starts == {(21, 21 + room, "  ")}


def test_what_a_mail_says_is_literal():
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    printed = as_columns(ROWS, console, zone=UTC).decode()
    assert "[/nope] [bold]x[/bold] [@click=app.exit(7)]boom[/] gpj.exe" in printed
    assert "\u202e" not in printed
    assert "\x1b]" not in printed, "no link either"


def test_a_line_for_pipes_has_its_columns():
    rows = [each.split("\t") for each in as_lines(ROWS, zone=UTC).decode().splitlines()]
    assert {len(each) for each in rows} == {6}
    assert rows[0][:3] == ["1", "2025-11-22 12:04", "Ada"]
    assert rows[0][5] == "attachment,authenticated"
    assert rows[4][3] == "(a newer client may read this)"


def test_json_has_the_fields_of_watch_and_the_number():
    told = [json.loads(each) for each in as_json(ROWS).splitlines()]
    assert list(told[0]) == [
        *("id", "received", "from_name", "from_address", "subject", "snippet", "size", "flags", "detail", "date"),
        *("number", "unseen"),
    ]
    assert told[0]["subject"] == HOSTILE
    assert told[4] == {"id": "00t64ks8s", "number": 150, "unseen": True}
