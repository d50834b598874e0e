"""The edge of the broker's process: what is said of an error, and the exit code."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from broker import __main__ as program
from broker import edge
from broker.errors import ConfigurationError, ListenError


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (ConfigurationError("x.toml: no"), "x.toml: no", 2),
        (ListenError("taken"), "broker: taken", 1),
        (KeyboardInterrupt(), "", 130),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "broker: No space left on device", 1),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "denied; run the broker as the user to whom",
            1,
        ),
        (sqlite3.OperationalError("disk I/O error"), "a database in state_dir cannot be used: disk I/O error", 1),
        (ImportError("No module named 'x'"), "its own files cannot be read", 1),
        (ValueError("x"), "broker: a defect: ValueError: x; please report it", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_is_said_of_an_error(error, text, code):
    said, got = edge.told(error)
    assert text in said
    assert bool(said) == bool(text)
    assert got == code


def test_it_is_the_edge_of_the_process(monkeypatch, capsys):
    def fail(_config):
        raise ExceptionGroup("", [ValueError("x"), ExceptionGroup("", [ConfigurationError("y")])])

    monkeypatch.delenv("POSTBELL_DEBUG", raising=False)
    monkeypatch.setattr(program, "load", fail)
    assert program.main([]) == 2
    assert capsys.readouterr().err.startswith("broker: a defect: ValueError: x; ")
    monkeypatch.setenv("POSTBELL_DEBUG", "1")
    assert program.main([]) == 2
    assert "Traceback" in capsys.readouterr().err
