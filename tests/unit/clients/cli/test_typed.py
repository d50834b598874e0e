"""What is typed as a value: read, or refused in our words, by none of a library's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from clients.cli import commands
from clients.cli.typed import READERS, kind_of


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("watch a/b --keepalive 5", "'5': too small; write 10 or more"),
        ("watch a/b --keepalive 65536", "'65536': too large; write 65535 or less"),
        ("watch a/b --keepalive x", "'x': not a whole number; write one, as 100"),
        ("read a/b 00t64ks8n --part -1", "'-1': too small; write 0 or more"),
        ("read a/b 00t64ks8n --timeout 0.5", "'0.5': too small; write 1 or more"),
        ("read a/b 00t64ks8n --timeout x", "'x': not a number; write one, as 7 or 0.5"),
        ("read a/b 00t64ks8n --timeout nan", "'nan': not a number; write one, as 7 or 0.5"),
        ("read a/b 00t64ks8n --part 1.5", "'1.5': not a whole number; write one, as 100"),
    ],
)
def test_a_number_that_cannot_be_is_told_with_what_can(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["clients", *words.split()])
    assert commands.run() == 2
    assert f"{words.split()[-2]}': {said}" in capsys.readouterr().err


def parameters():
    group: Any = typer.main.get_command(commands.app)
    for command in (group, *group.commands.values()):
        for parameter in command.get_params(typer.Context(command)):
            yield pytest.param(parameter, id=f"{command.name}-{parameter.name}")


@pytest.mark.parametrize("parameter", list(parameters()))
def test_typer_has_nothing_left_to_read(parameter):
    assert kind_of(parameter) in READERS
    assert type(parameter.get_runtime_param()).__module__ == "clients.cli.typed"


def test_what_is_typed_has_its_type(monkeypatch):
    given = {}
    monkeypatch.setattr(
        "clients.terminal.read.command.read_message", lambda *words, **named: given.update(named, words=words)
    )
    monkeypatch.setattr(
        sys,
        "argv",
        ["clients", *["read", "a/b", "00t64ks8n", "--part", "2.0", "--timeout", "7", "--json", "--output", "x/y"]],
    )
    assert commands.run() == 0
    place, request = given["words"]
    assert (place.device, place.password_file) == ("a/b", None)
    assert (request.part, request.json, request.raw) == (2, True, False)
    assert (given["output"], given["patience_s"]) == (Path("x/y"), 7.0)


@pytest.mark.parametrize("words", ["watch --help", "watch a/b --keepalive 5"])
def test_no_start_waits_for_pydantic(words):
    program = (
        "import sys; from clients.cli import commands; code = commands.run(); print(code, 'pydantic' in sys.modules)"
    )
    command = [sys.executable, "-c", program, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ("0 False" if "--help" in words else "2 False")
