"""Completion in real shells, and the manual page as man shows it: made of what the commands say of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from bridge.cli import main, manual
from bridge.cli.describing import everything
from bridge.cli.shells import bash, fish, positions, zsh
from bridge.store import logins, offline, pairing
from tests.conftest import need
from tests.support.stored import add_user

SCRIPTS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}
ASKING = {
    "bash": """
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        compopt() { :; }
        _postbell
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { : }
        compadd() { [[ $1 == -a ]] && print -l -- ${(P)2} || { shift; print -l -- $@ } }
        _describe() { print -l -- ${(M)${(@)${(P)2}%%:*}:#$PREFIX*} }
        _files() { print -l -- $PREFIX*(N) }
        _message() { : }
        source $1; shift
        words=("$@"); CURRENT=$#; PREFIX=$words[-1]
        _postbell
    """,
    "fish": """
        source $argv[1]
        complete -C (string escape -- $argv[2..-2] | string join ' ')" $argv[-1]" | string replace -r '\\t.*' ''; true
    """,
}
"""Each has a script loaded, and prints what may stand in the place of the last word. What zsh would show is printed."""


@cache
def described():
    root: Any = typer.main.get_command(main.app)
    return everything(root)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("completed")
    for user in ("alice", "bob"):
        add_user(path / "postbell.db", user)
    with offline.transaction(path / "postbell.db", now_ms=1, count=1, days=1) as transaction:
        for user, device in (("alice", "phone"), ("alice", "watch"), ("bob", "desk")):
            pairing.add_device(transaction, user, device)
        logins.add_sender(transaction, "relay")
    return path


@pytest.fixture(params=SCRIPTS)
def completed(request, tmp_path, store):
    """What a shell offers for the last of some words."""
    shell = request.param
    program = need(shell)
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell](positions.positions(described())))
    postbell = tmp_path / "postbell"
    postbell.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bridge "$@"\n')
    postbell.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "POSTBELL_STATE_DIR": str(store),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "LANG": "C.UTF-8",
    }

    def ask(*words):
        command = [program, "-c", ASKING[shell], *(["ask"] if shell != "fish" else []), str(script), "postbell", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
        assert done.stderr == ""
        return set(done.stdout.split())

    return ask


def test_a_shell_completes_commands_options_and_names(completed, tmp_path):
    (tmp_path / "mail.eml").write_text("")
    for words, offered in {
        ("sta",): {"status"},
        ("user", ""): {"add", "change", "list", "remove", "rules"},
        ("user", "rules", "alice", "--hi"): {"--hide"},
        ("user", "rules", "alice", "--hide", ""): {"nothing", "snippet", "subject"},
        ("user", "rules", ""): {"alice", "bob"},
        ("user", "add", ""): set(),
        ("device", "revoke", "alice", ""): {"phone", "watch"},
        ("sender", "remove", ""): {"relay"},
        ("send", "--to", "alice@example.org", "mai"): {"mail.eml"},
        ("watch", "b"): {"bob/desk"},
        ("read", "bob/desk", "00t64ks8n", "--al"): {"--all"},
    }.items():
        here = {each for each in completed(*words) if each.startswith(words[-1])}
        assert here == offered, words


def test_a_configuration_that_is_named_is_the_one_that_is_asked(completed, tmp_path):
    (tmp_path / "other.toml").write_text("[retain]\ncount = 0\n")
    assert completed("user", "rules", "--config", "other.toml", "") == set(), "one that cannot be used gives no names"


def test_the_manual_page_has_every_command_and_man_finds_nothing_wrong(tmp_path):
    page = tmp_path / "postbell.1"
    page.write_text(manual.page(described(), version="1.2.3"))
    done = subprocess.run(
        [need("man"), "--warnings", "--local-file", str(page)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MANROFFOPT": ""},
    )
    assert done.stderr == ""
    for command in described().all():
        if command.words and not command.below:
            assert f"postbell {' '.join(command.words)}" in done.stdout
    for words in ("--all DIR", "--password-file FILE", "POSTBELL_CONFIG", "EXIT STATUS", "1.2.3"):
        assert words in done.stdout


def test_both_are_printed(capsys, monkeypatch):
    manual.main()
    page = capsys.readouterr().out
    assert page.startswith(".TH POSTBELL 1 ")
    command = [sys.executable, "-m", "bridge.cli.manual"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == page
    for shell in SCRIPTS:
        monkeypatch.setattr(sys, "argv", ["postbell", "completion", shell])
        assert main.run() == 0
        assert capsys.readouterr().out.startswith("#")
