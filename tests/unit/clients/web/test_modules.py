"""Tests that are written in JavaScript, by node's own runner; and what the page's files say of one another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need
from tests.support import web_files

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_in_javascript(file):
    command = [need("node"), "--test", HERE / file]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}  # days have names, and begin somewhere
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert not done.returncode, done.stdout + done.stderr


def test_the_whole_is_made_of_the_modules_and_the_service_worker_knows_it():
    assert web_files.WHOLE.read_text("utf-8") == web_files.whole(), "make map"
    assert web_files.WORKER.read_text("utf-8") == web_files.worker(), "make map"


def test_the_whole_has_every_module():
    there = {path.relative_to(web_files.WEB).as_posix() for path in web_files.WEB.rglob("*.js")}
    assert there == {*web_files.modules(), "postbell.js", "sw.js"}


def test_a_first_visit_has_less_than_sixty_kilobytes():
    assert web_files.first_visit() < 60_000
