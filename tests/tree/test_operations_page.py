"""The page for operators is true: it names every event that the programs log with each of its fields, and no other."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception"}
SETTERS = {"_refuse": {"username", "reason", "refused"}, "_turned_away": {"address"}}
"""Methods that log the event they are given, and the fields that they add."""
SPREAD = {"ingress_listening": {"smtp", "smtps", "lmtp"}}
"""What is in the dict that an event is given as its fields."""
OVERWRITTEN = {"event", "exc_info", "exception", "level", "logger", "process", "stack_info", "timestamp"}
"""Names that structlog's processors give a line: a field that is called so would be lost on its way to the log."""
EXCEPTION = "the exception"


@functools.cache
def events_logged(half):
    """Each event of a program with the fields that any of its calls gives it."""
    found = defaultdict(set)
    for path in (ROOT / half).rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            owner, method = ast.unparse(call.func.value), call.func.attr
            if method not in SETTERS and not (method in LEVELS and re.search(r"log\b|get_logger", owner)):
                continue
            for event in call.args:
                if isinstance(event, ast.Constant) and isinstance(event.value, str):
                    fields = found[event.value]
                    fields |= {word.arg for word in call.keywords if word.arg} | SETTERS.get(method, set())
                    fields |= {EXCEPTION} if method == "exception" else set()
                    if not all(word.arg for word in call.keywords):
                        fields |= SPREAD[event.value]
    return dict(found)


def events_explained(half):
    """Each event of a program with the fields that the page gives it: one list for all of a row, or one for each."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition(f"| event of the {half} |")[2].partition("\n\n")[0]
    found = {}
    for row in (line.split("|") for line in table.splitlines() if line.startswith("| `")):
        events = re.findall(r"`(\w+)`", row[1])
        lists = [set(re.findall(rf"`(\w+)`|({EXCEPTION})", part)) for part in row[2].split(";")]
        fields = [{name or said for name, said in each} for each in lists]
        found |= dict(zip(events, fields if len(fields) > 1 else fields * len(events), strict=True))
    return found


@pytest.mark.parametrize("half", ["bridge", "broker"])
def test_every_event_is_explained_and_nothing_is_explained_that_is_never_logged(half):
    assert events_explained(half).keys() == events_logged(half).keys()


@pytest.mark.parametrize("half", ["bridge", "broker"])
def test_the_fields_of_every_event_are_those_that_are_logged(half):
    logged, explained = events_logged(half), events_explained(half)
    assert {event: fields for event, fields in explained.items() if fields != logged.get(event)} == {}


@pytest.mark.parametrize("half", ["bridge", "broker"])
def test_events_have_names_that_can_be_searched_for(half):
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", event) for event in events_logged(half))
    assert len(events_logged(half)) > 15


@pytest.mark.parametrize("half", ["bridge", "broker"])
def test_no_field_has_a_name_that_the_log_itself_uses(half):
    lost = {event: fields & OVERWRITTEN for event, fields in events_logged(half).items()}
    assert {event: fields for event, fields in lost.items() if fields} == {}
