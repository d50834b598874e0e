"""What messages look like; and that no mail can command a terminal."""

from __future__ import annotations

import io
import json
from datetime import UTC

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clients.contract.header import Header, decode_header
from clients.terminal.screen import JsonScreen, PlainScreen, TerminalScreen, readable

ID = "00t64ks8n"
MAIL = Header(1 | 512, "Ada", "ada@example.org", "Plan", "See the drawing.", 70000)


def terminal(color_system=None):
    console = Console(file=io.StringIO(), force_terminal=True, color_system=color_system, width=80)
    return TerminalScreen(console, with_gone=True, zone=UTC)


def test_plain_line():
    screen = PlainScreen(with_gone=True, zone=UTC)
    line = "2025-11-22 12:04:16  Ada: Plan – See the drawing.  [attachment, suspicious]"
    assert screen.shown(ID, MAIL).decode() == line + "\n"
    assert screen.gone(ID, MAIL).decode() == line + "  (gone)\n"
    assert screen.gone(ID, None) == b"2025-11-22 12:04:16  gone\n"
    assert PlainScreen(with_gone=False).gone(ID, MAIL) == b""


def test_plain_line_of_nothing_known():
    assert PlainScreen(with_gone=False, zone=UTC).shown(ID, Header()) == (
        b"2025-11-22 12:04:16  (unknown sender): (no subject)\n"
    )


def test_json_line():
    assert json.loads(JsonScreen(with_gone=False).shown(ID, MAIL))["flags"] == ["attachment", "suspicious"]
    assert JsonScreen(with_gone=True).gone(ID, MAIL) == b'{"id": "00t64ks8n", "gone": true}\n'
    assert JsonScreen(with_gone=False).gone(ID, MAIL) == b""


def test_terminal_lines():
    head, body, rest = terminal().shown(ID, MAIL).decode().split("\n")
    assert head == "2025-11-22 12:04:16  Ada  <ada@example.org>  attachment  suspicious"
    assert (body, rest) == ("    Plan – See the drawing.", "")
    assert b"Ada: Plan" in terminal().gone(ID, MAIL)
    assert b"a message shown earlier" in terminal().gone(ID, None)
    assert TerminalScreen(Console(), with_gone=False).gone(ID, MAIL) == b""


def test_markup_and_emoji_codes_in_mail_are_plain_text():
    shown = terminal().shown(ID, Header(subject="[bold]x[/bold] :bomb: [link=http://evil]"))
    assert b"[bold]x[/bold] :bomb:" in shown


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_mail_commands_a_terminal(name, subject, snippet):
    payload = msgpack.packb([1, 4095, name, "a@example.org", subject, snippet, 1])
    header = decode_header(payload)
    screens = [JsonScreen(with_gone=True), PlainScreen(with_gone=True), terminal()]
    for screen in screens:
        for entry in (screen.shown(ID, header), screen.gone(ID, header)):
            text = entry.decode("utf-8")
            assert not [char for char in text if char != "\n" and (char < " " or "\x7f" <= char <= "\x9f")]
            assert entry.endswith(b"\n")
    assert JsonScreen(with_gone=True).shown(ID, header).count(b"\n") == 1
    assert PlainScreen(with_gone=True).shown(ID, header).count(b"\n") == 1


def test_invisible_and_turning_characters_do_not_reach_a_human():
    assert readable("a\u202egnp.exe\u200b \u2066x\u2069 \ufeff") == "agnp.exe x "
    assert readable("👩\u200d🚀 می\u200cخواهم") == "👩\u200d🚀 می\u200cخواهم"
