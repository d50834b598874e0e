"""A command that only looks makes nothing, and says what is wrong with the directory that it looked into."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress

import pytest
import typer

from bridge.cli import main
from bridge.store import database
from tests.support.stored import add_user

READING = {
    "user list": "",
    "user rules": "alice",
    "device list": "",
    "sender list": "",
    "admin list": "",
    "node list": "",
    "status": "",
    "reconcile": "",
    "salvage": "",
    "setup": "postfix",
    "backup": "b.tar",
    "export": "alice data",
    "trace": "0198hp300",
    "mailbox list": "",
    "cell list": "",
}
"""Commands that need a store to be there, with the arguments that they cannot do without."""
OTHERS = {
    *("init", "serve", "bridge", "broker"),
    *(f"certificate {what}" for what in ("show", "renew", "install", "ca")),
    *(f"user {what}" for what in ("add", "change", "remove")),
    *("mailbox add", "mailbox remove", "mailbox test"),
    *("cell add", "cell move", "cell drain", "cell remove"),
    *(f"device {what}" for what in ("add", "change", "password", "revoke")),
    *(f"{who} password" for who in ("sender", "admin", "node")),
    *(f"{who} {what}" for who in ("sender", "admin", "node") for what in ("add", "remove")),
    *(
        "push renew",
        "bench",
        "completion",
        "send",
        "watch",
        "inbox",
        "read",
        "doctor",
        "reload",
        "restore",
        "config check",
        "config show",
    ),
}
"""Commands that may make one, that ask a listener and not the store, or that find out what is wrong with it."""


def commands(group, before=()):
    """Every command of the command line, as its words."""
    for name, command in group.commands.items():
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield " ".join(words)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command with this state directory: its exit code, and all that it said."""
    for name in [name for name in os.environ if name.startswith("POSTBELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def in_process(command, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setattr(sys, "argv", ["postbell", *command.split(), *READING[command].split()])
        code = main.run()
        said = capsys.readouterr()
        return code, said.out + said.err

    return in_process


@contextmanager
def as_a_user_who_may_not(path):
    """The files of a directory closed to this process, also if it is root's."""
    mode, user = path.stat().st_mode, os.geteuid()
    path.chmod(0o000)
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)
        path.chmod(mode)


def tree(directory):
    return sorted(str(path) for path in directory.rglob("*"))


def test_every_command_is_one_of_those_that_look_or_one_of_those_that_do_not():
    assert set(commands(typer.main.get_command(main.app))) == READING.keys() | OTHERS


@pytest.mark.parametrize("command", READING)
def test_a_mistyped_directory_is_told_and_not_made(run, command, tmp_path):
    missing = tmp_path / "mistyped"
    code, said = run(command, POSTBELL_STATE_DIR=missing)
    assert code == 2
    assert f"POSTBELL_STATE_DIR: state_dir = '{missing}': there is no such directory" in said
    assert "postbell serve" in said
    assert "postbell user add" in said
    assert tree(tmp_path) == []


@pytest.mark.parametrize("command", READING)
def test_a_directory_without_a_database_stays_so(run, command, tmp_path):
    empty, file = tmp_path / "empty", tmp_path / "bell.toml"
    empty.mkdir()
    file.write_text(f'state_dir = "{empty}"\n')
    code, said = run(command, POSTBELL_CONFIG=file)
    assert code == 2
    assert f"{file}: state_dir = '{empty}': there is no database in this directory (postbell.db)" in said
    assert tree(tmp_path) == sorted([str(file), str(empty)])


@pytest.mark.parametrize("command", READING)
def test_a_file_in_the_directorys_place_is_told(run, command, tmp_path):
    (tmp_path / "state").write_text("a file where a directory should be")
    code, said = run(command, POSTBELL_STATE_DIR=tmp_path / "state")
    assert code == 2
    assert "this is not a directory" in said


@pytest.mark.parametrize("command", READING)
def test_a_directory_that_this_user_may_not_read_is_told(run, command, tmp_path):
    state = tmp_path / "state"
    database.prepare(state / "postbell.db")
    before = tree(tmp_path)
    with as_a_user_who_may_not(state):  # who need not be able to enter the working directory, either
        code, said = run(command, POSTBELL_STATE_DIR=state)
    assert code == 2
    assert f"state_dir = '{state}': this user may not read the database there" in said
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", READING)
def test_whatever_else_the_system_says_of_it_is_told(run, command, tmp_path):
    code, said = run(command, POSTBELL_STATE_DIR=tmp_path / ("x" * 300))
    assert code == 2
    assert "the database cannot be read: File name too long" in said


@pytest.mark.parametrize("command", sorted(READING.keys() - {"reconcile", "salvage"}))
def test_with_a_database_they_look_into_it(run, command, tmp_path):
    add_user(tmp_path / "postbell.db", "alice")
    code, said = run(command, POSTBELL_STATE_DIR=tmp_path, POSTBELL_LMTP__LISTEN="127.0.0.1:2424")
    assert code == (1 if command in {"status", "trace"} else 0), "it is not running, and has no mail"
    assert said
    with suppress(FileNotFoundError):
        assert list((tmp_path / "run").iterdir()) == []
