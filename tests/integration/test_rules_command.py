"""`postbell user rules`: what it shows, changes and refuses, with which exit code."""

from __future__ import annotations

import json

import pytest

from bridge.cli import main


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `postbell user …` on a store with alice: its exit code and what it printed."""
    monkeypatch.setenv("POSTBELL_STATE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["postbell", "user", *arguments])
        code = main.run()
        said = capsys.readouterr()
        return code, said.out + said.err

    assert run("add", "alice", "--address", "alice@example.org")[0] == 0
    return run


def test_rules_are_shown_changed_and_cleared(command):
    assert command("rules", "alice") == (0, "no rules: all mail of alice rings\n")
    changes = (
        "--mute",
        "@Shop.example",
        "--vip",
        "boss@example.org",
        "--quiet",
        "22:00-7:00",
        "--zone",
        "Europe/Berlin",
    )
    shown = "mute\t@shop.example\nvip\tboss@example.org\nquiet\t22:00-07:00 Europe/Berlin\n"
    assert command("rules", "alice", *changes) == (0, shown)
    assert (
        command("rules", "alice", "--hide", "subject", "--rate", "20/10m")[1] == f"{shown}hide\tsubject\nrate\t20/10m\n"
    )
    removals = ("--remove-mute", "@shop.example", "--remove-rate", "--hide", "nothing", "--remove-quiet", "22:00-07:00")
    assert command("rules", "alice", *removals) == (0, "vip\tboss@example.org\n")
    assert command("rules", "alice", "--clear") == (0, "no rules: all mail of alice rings\n")


def test_json_holds_every_rule(command):
    code, said = command("rules", "alice", "--rate", "5/1h", "--json")
    empty = {"mute": [], "vip": [], "quiet": [], "zone": "", "hide": "nothing"}
    assert (code, json.loads(said)) == (0, {"user": "alice", **empty, "rate": "5/1h"})


@pytest.mark.parametrize(
    ("arguments", "code", "remedy"),
    [
        (("bob",), 1, "there is no user 'bob'"),
        (("alice", "--mute", "nonsense"), 2, "mute = 'nonsense': write an address, @domain or the id"),
        (("alice", "--quiet", "22:00-07:00"), 2, "--zone Europe/Berlin"),
        (("alice", "--remove-vip", "x@example.org"), 2, "vip: there is no 'x@example.org' to remove"),
        (("alice", "--hide", "everything"), 2, "--hide"),
        (("alice", "--rate", "1/1m", "--remove-rate"), 2, "contradict"),
    ],
)
def test_what_is_refused_is_told_with_what_to_do_and_changes_nothing(command, arguments, code, remedy):
    before = command("rules", "alice", "--vip", "boss@example.org")
    refused, said = command("rules", *arguments)
    assert refused == code
    assert remedy in said
    assert command("rules", "alice") == before
