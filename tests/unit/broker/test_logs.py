"""How the broker's events are written: JSON unless somebody reads along, and always with who speaks."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog

from broker import logs


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def said(monkeypatch):
    """What is written to a stream when logs are set up in this way, with these variables."""
    before, handlers = structlog.get_config(), logging.root.handlers[:]

    def write(stream, *, style, **environ):
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(level="info", style=style, environ=environ)
        structlog.get_logger().info("listening", listener="mqtt")
        return stream.getvalue()

    yield write
    structlog.configure(**before)
    logging.root.handlers[:] = handlers


def test_collectors_get_json_that_says_who_speaks(said):
    event = json.loads(said(io.StringIO(), style="auto"))
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "listening", "level": "info", "listener": "mqtt", "process": "broker"}


@pytest.mark.parametrize(
    ("stream", "environ", "colored"),
    [(Terminal, {}, True), (Terminal, {"NO_COLOR": "1"}, False), (io.StringIO, {}, False)],
)
def test_people_get_lines_colored_only_where_they_may_be(said, stream, environ, colored):
    line = said(stream(), style="console", **environ)
    assert ("\x1b[" in line) is colored
    assert "broker" in line
