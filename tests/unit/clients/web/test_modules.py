"""Tests that are written in JavaScript, by node's own runner; and what the page's files say of one another."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import need
from tests.support import web_files

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_in_javascript(file):
    done = subprocess.run(
        [need("node"), "--test", HERE / file], capture_output=True, text=True, check=False, timeout=120
    )
    assert not done.returncode, done.stdout + done.stderr


def test_the_service_worker_and_the_page_name_the_files_that_are_there():
    assert web_files.WORKER.read_text("utf-8") == web_files.worker(), "make map"
    assert web_files.PAGE.read_text("utf-8") == web_files.page(), "make map"


def test_a_first_visit_has_less_than_sixty_kilobytes():
    assert web_files.first_visit() < 60_000
