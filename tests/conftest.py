"""Shared by all tiers: how a test names the system program or the mail it needs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching", max_examples=2000)  # --hypothesis-profile=searching
settings.load_profile("repeatable")

MAIL = Path(__file__).resolve().parents[2] / "shared" / "mail"


def need(program: str) -> str:
    """The path of a system program; without it the test skips, naming it."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin")
    found = shutil.which(program, path=os.pathsep.join(places))
    if found is None:
        pytest.skip(f"needs the program {program}")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped has failed, whatever it lacks."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome, report.longrepr = "failed", f"in CI nothing may be skipped: {report.longrepr}"
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=10.0, help="how long each fuzz test may search")
    parser.addoption("--fuzz-seed", type=int, default=1, help="the seed that makes a fuzz run repeatable")


@pytest.fixture(scope="session")
def mail_dir() -> Path:
    """The 181 messages with expected values."""
    if not MAIL.is_dir():
        pytest.skip("needs the message set ../shared/mail")
    return MAIL
