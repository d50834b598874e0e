"""The page for operators is true: it names every event that the programs log, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception"}
SETTERS = {"_refuse"}
"""Methods that log the event they are given."""


def events_logged():
    found = set()
    for half in ("bridge", "broker"):
        for path in (ROOT / half).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                    continue
                owner = ast.unparse(call.func.value)
                if call.func.attr in SETTERS or (call.func.attr in LEVELS and re.search(r"log\b|get_logger", owner)):
                    found |= {
                        argument.value
                        for argument in call.args
                        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                    }
    return found


def events_explained():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("### Events")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return set(re.findall(r"`(\w+)`", " ".join(cells)))


def test_every_event_is_explained():
    assert events_logged() - events_explained() == set()


def test_nothing_is_explained_that_is_never_logged():
    assert events_explained() - events_logged() == set()


def test_events_have_names_that_can_be_searched_for():
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", event) for event in events_logged())
    assert len(events_logged()) > 40
