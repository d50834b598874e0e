"""The edge of the command line: what is said of an error, and the exit code; and what goes unsaid."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import ssl
import sys
from typing import Any

import pytest
import typer

from bridge.cli import edge, main
from bridge.cli.commands import Postbell
from bridge.errors import ConfigurationError, MalformedNameError, PostbellError


def wrong_version():
    """What OpenSSL says of a server that speaks something else."""
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


def untrusted():
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (ConfigurationError("bell.toml: x = 1: no"), "bell.toml: x = 1: no", 2),
        (MalformedNameError("'X' cannot be a user"), "'X' cannot be a user", 2),
        (PostbellError("there is no user 'x'"), "there is no user 'x'", 1),
        (KeyboardInterrupt(), "", 130),
        (typer.Abort(), "ended without an answer", 1),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "", 1),
        (BrokenPipeError(errno.EPIPE, "Broken pipe", "/a/fifo"), "/a/fifo: Broken pipe", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; make room", 1),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "Read-only file system; it is mounted to be", 1),
        (OSError(errno.EIO, "Input/output error", b"/x"), "/x: Input/output error", 1),
        (OSError(errno.EIO, "Input/output error", 7), "Input/output error", 1),
        (
            PermissionError(errno.EACCES, "Permission denied", __file__),
            "Permission denied; look at its owner and mode",
            1,
        ),
        (TimeoutError(), "timed out", 1),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "a host name cannot be resolved: Name or", 1),
        (wrong_version(), "TLS failed: wrong version number", 1),
        (untrusted(), "the certificate is not trusted: self-signed certificate", 1),
        (sqlite3.OperationalError("no such column: x"), "the database cannot be used: no such column: x", 1),
        (ModuleNotFoundError("No module named 'amqtt'"), "Postbell's own files cannot be read: No module named", 1),
        (MemoryError(), "there is not enough memory", 1),
        (ValueError("one\ntwo"), "a defect: ValueError: one; please report it, with what the same command shows", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_is_said_of_an_error(error, text, code):
    said, got = edge.told(error)
    assert text in said
    assert bool(said) == bool(text)
    assert got == code


def test_of_a_file_that_is_anothers_the_owner_is_named(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12_345_678)
    said, _ = edge.told(PermissionError(errno.EACCES, "Permission denied", f"{__file__}/no/such"))
    assert "Permission denied; this belongs to " in said
    assert ": sudo " in said


@pytest.fixture
def failing(monkeypatch, capsys):
    """Runs the command line with an error in the place of a command: the exit code, and what standard error has."""
    monkeypatch.delenv("POSTBELL_DEBUG", raising=False)

    def run(error):
        def fail(**_options):
            raise error

        monkeypatch.setattr(main, "app", fail)
        code = main.run()
        return code, capsys.readouterr().err

    return run


def test_every_error_of_a_group_is_told_and_the_worst_decides(failing):
    group = BaseExceptionGroup(
        "both", [PostbellError("a"), ExceptionGroup("", [ConfigurationError("b"), ValueError("c")])]
    )
    code, said = failing(group)
    assert code == 2
    assert said.startswith("postbell: a\npostbell: b\npostbell: a defect: ValueError: c")


def test_a_traceback_is_for_those_who_ask(failing, monkeypatch):
    assert "Traceback" not in failing(ValueError("x"))[1]
    monkeypatch.setenv("POSTBELL_DEBUG", "1")
    assert "Traceback" in failing(ValueError("x"))[1]


def test_an_exit_is_none_of_these(failing):
    assert failing(SystemExit(3)) == (3, "")
    assert failing(SystemExit("words"))[0] == 1
    assert failing(SystemExit())[0] == 0


def test_what_nobody_reads_is_forgotten(monkeypatch):
    """A pipe whose reader has gone fails once, and not again when the interpreter ends."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        pipe.write("unread")
        assert edge.report(BrokenPipeError(errno.EPIPE, "Broken pipe")) == 1
        monkeypatch.undo()


def test_an_option_asks_for_tracebacks_here_and_in_what_is_started(monkeypatch, capsys):
    monkeypatch.setenv("POSTBELL_DEBUG", "")
    monkeypatch.setattr(sys, "argv", ["postbell", "--debug", "--config", "/absent.toml", "status"])
    assert main.run() == 2
    assert os.environ["POSTBELL_DEBUG"] == "1"
    assert "Traceback" in capsys.readouterr().err


def test_the_commands_are_counted_without_importing_any():
    group: Any = typer.main.get_command(main.app)
    assert len(group.commands) == len(Postbell.finders) > 10
    assert "status" in group.commands
    assert "nonsense" not in group.commands
