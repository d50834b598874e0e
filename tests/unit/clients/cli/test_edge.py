"""The edge of the clients' command line: what is said of an error, and the exit code."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from clients.cli import commands, edge
from clients.errors import RequestError, UsageError


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (UsageError("--url 'x': no"), "--url 'x': no", 2),
        (RequestError("the bridge is silent"), "the bridge is silent", 1),
        (KeyboardInterrupt(), "", 130),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "", 1),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device; make room", 1),
        (OSError(errno.EIO, "Input/output error"), "Input/output error", 1),
        (ImportError("No module named 'x'"), "the client's own files cannot be read", 1),
        (ValueError("x"), "a defect: ValueError: x; please report it", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_is_said_of_an_error(error, text, code):
    said, got = edge.told(error)
    assert text in said
    assert bool(said) == bool(text)
    assert got == code


def test_it_is_the_edge_of_the_command_line(monkeypatch, capsys):
    def fail(**_options):
        raise ValueError("x")

    monkeypatch.delenv("POSTBELL_DEBUG", raising=False)
    monkeypatch.setattr(commands, "app", fail)
    assert commands.run() == 1
    assert capsys.readouterr().err.startswith("postbell: a defect: ValueError: x; ")
    monkeypatch.setenv("POSTBELL_DEBUG", "1")
    assert commands.run() == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_nobody_reads_is_forgotten(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        pipe.write("unread")
        assert edge.report(BrokenPipeError(errno.EPIPE, "Broken pipe")) == 1
        monkeypatch.undo()
