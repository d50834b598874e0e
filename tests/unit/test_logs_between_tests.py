"""What a command sets up for its process is gone in the next test: its stream is closed by then."""

from __future__ import annotations

import io

import structlog

from bridge.daemon import logs
from bridge.ingress import conversation

BEFORE = structlog.get_config()["logger_factory"]


def test_a_command_that_ran_within_a_test_sets_up_logs(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure(level="info", style="json")
    conversation.log.error("said")
    assert "said" in stream.getvalue()
    stream.close()


def test_the_next_one_can_say_something(capsys):
    conversation.log.error("heard")
    assert "heard" in capsys.readouterr().out
    assert structlog.get_config()["logger_factory"] is BEFORE
