"""How events are written: JSON unless somebody reads along."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import datetime
from pathlib import Path

import pytest
import structlog

from bridge.contract.publication import Kind
from bridge.daemon import logs


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def said(monkeypatch):
    """What a logger writes that is set up in this way."""
    before, handlers = structlog.get_config(), logging.root.handlers[:]
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)

    def write(stream, do, **options):
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(**options)
        do(structlog.get_logger())
        return stream.getvalue()

    yield write
    structlog.configure(**before)
    logging.root.handlers[:] = handlers


def hello(log):
    log.info("message_kept", user="alice")


def trouble(log):
    try:
        int("no number")
    except ValueError:
        log.exception("failed")


def test_auto_is_json_for_collectors_and_lines_for_people(said):
    event = json.loads(said(io.StringIO(), hello, level="info", style="auto"))
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "message_kept", "level": "info", "user": "alice", "process": "bridge"}
    line = said(Terminal(), hello, level="info", style="auto")
    assert "message_kept" in line
    assert "\x1b[" in line


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"user": "alice", "size": 4096, "known": False, "told": True, "alert": None},
        {"reason": 'a "quote", a \\, é, 👩\u200d👧, \x00 and a line\nend', "least": -5, "largest": 2**70},
        {"kind": Kind.EVENT, "rate": 0.5, "names": ["a", "b"], "path": Path("/x"), "octets": b"\xff"},
        {"alert": None, "exc_info": False},
    ],
)
def test_a_line_that_is_made_at_once_is_the_one_of_the_processors(said, known):
    def speak(log):
        log.info("message_kept", **known)
        log.bind(**known).info("message_kept")

    at_once, bound = said(io.StringIO(), speak, level="info", style="json").splitlines()
    stamps = [json.loads(line)["timestamp"] for line in (at_once, bound)]
    assert len(stamps[0]) == len("2026-11-28T19:21:09.982653Z")
    assert datetime.fromisoformat(stamps[0]) <= datetime.fromisoformat(stamps[1])
    assert at_once.replace(stamps[0], "") == bound.replace(stamps[1], "")


def test_what_is_simple_does_not_pass_the_processors_and_what_listens_to_them_hears_it(said):
    passed = []

    def note(_logger, _method, event):
        passed.append(event["event"])
        return event

    def speak(log):
        structlog.get_config()["processors"].insert(1, note)
        log.info("simple", user="alice")
        log.info("not_simple", rate=0.5)
        with structlog.testing.capture_logs() as heard:
            log.info("heard", user="alice")
        assert [event["event"] for event in heard] == ["heard"]

    lines = said(io.StringIO(), speak, level="info", style="json").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["simple", "not_simple"]
    assert passed == ["not_simple"]


def test_a_style_that_is_named_is_taken_whoever_reads(said):
    assert json.loads(said(Terminal(), hello, level="info", style="json"))["user"] == "alice"
    line = said(io.StringIO(), hello, level="info", style="console")
    assert "user=alice" in line
    assert "\x1b[" not in line


def test_no_color_is_heeded(said, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    line = said(Terminal(), hello, level="info", style="auto")
    assert "process=bridge" in line
    assert "\x1b[" not in line


def test_what_a_library_says_is_a_line_of_the_same_form(said):
    def complain(_):
        logging.getLogger("asyncio").info("too little to be told")
        try:
            int("no number")
        except ValueError:
            logging.getLogger("asyncio").exception("Task %s was lost", 7)

    event = json.loads(said(io.StringIO(), complain, level="info", style="json"))
    assert (event["event"], event["level"], event["logger"]) == ("Task 7 was lost", "error", "asyncio")
    assert event["process"] == "bridge"
    assert "ValueError: invalid literal" in event["exception"]
    assert "Task 7 was lost" in said(Terminal(), complain, level="info", style="auto")


def test_below_the_level_nothing_is_said(said):
    assert said(io.StringIO(), hello, level="warning", style="json") == ""


def test_a_cause_is_told_in_both(said):
    assert (
        "ValueError: invalid literal"
        in json.loads(said(io.StringIO(), trouble, level="info", style="json"))["exception"]
    )
    assert "ValueError: invalid literal" in said(io.StringIO(), trouble, level="info", style="console")


@pytest.mark.usefixtures("said")
def test_how_much_is_said_may_change_at_any_time(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    verbosity = logs.configure(level="info", style="json")
    log = structlog.get_logger()
    log.debug("unheard")
    log.info("heard")
    verbosity.set("error")
    log.warning("unheard")
    trouble(log)
    verbosity.set("debug")
    log.debug("heard_as_well")
    heard = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert heard == ["heard", "failed", "heard_as_well"]
