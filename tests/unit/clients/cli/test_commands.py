"""Arguments that cannot be used, and the exit code they give."""

from __future__ import annotations

import os

import pytest

from clients.cli.commands import run


@pytest.mark.parametrize(
    "arguments",
    [
        ("watch", "alice"),
        ("watch", "Alice/phone"),
        ("watch", "alice/phone/x"),
        ("watch", "alice/phone", "--url", "http://127.0.0.1"),
        ("watch", "alice/phone", "--root", "mail/#"),
        ("watch", "alice/phone", "--root", ""),
        ("watch", "alice/phone", "--password-file", "/nonexistent/password"),
        ("watch", "alice/phone", "--keepalive", "1"),
        ("watch", "alice/phone", "--no-such-option"),
        ("watch", "alice/phone"),
        ("read", "alice/phone", "NOT-AN-ID"),
        ("read", "alice/phone", "00t64ks8n", "--raw", "--parts"),
        ("read", "alice/phone", "00t64ks8n", "--raw", "--part", "2"),
        ("read", "alice/phone", "00t64ks8n", "--part", "-1"),
        ("read", "alice/phone", "00t64ks8n", "--json"),
        ("read", "alice/phone", "00t64ks8n"),
    ],
)
def test_usage_errors_say_why_and_give_2(arguments, monkeypatch, capfd, tmp_path):
    monkeypatch.setattr("sys.argv", ["clients", *arguments])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("POSTBELL_PASSWORD", raising=False)
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", nothing)
        try:
            code = run()
        except SystemExit as error:
            code = error.code  # type: ignore[assignment]
    assert code == 2
    assert capfd.readouterr().err
