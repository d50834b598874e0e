"""Shared by all tiers: how a test names the system program or the mail it needs."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import settings

from tests.mail import FOREIGN as FOREIGN_MAIL

if TYPE_CHECKING:
    from collections.abc import Generator

# A deadline would be a clock on the wall. --hypothesis-profile chooses; `make test-unit` takes the quick one.
settings.register_profile("quick", derandomize=True, deadline=None, max_examples=10)
settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("searching", max_examples=2000, deadline=None)
settings.load_profile("repeatable")

UNBOUND = type(structlog.get_logger())
LEFT_OUT = pytest.StashKey[int]()
TRIED_AGAIN = {"integration", "conformance", "install", "node", "browser"}
"""Tiers of whole systems, whose tests a busy machine can fail: docs/decisions/0061-one-more-try.md."""


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


def pytest_configure() -> None:
    """A shell has what it runs in the background ignore Ctrl-C, and so would all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=10.0, help="how long each fuzz test may search")
    parser.addoption("--fuzz-seed", type=int, default=1, help="the seed that makes a fuzz run repeatable")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Generator[None]:
    """A command that runs within a test sets up the logs for its process, with a stream that is closed afterwards."""
    before, handlers = structlog.get_config(), logging.root.handlers[:]
    yield
    if structlog.get_config()["logger_factory"] is before["logger_factory"]:
        return
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    for module in list(sys.modules.values()):
        if isinstance(logger := getattr(module, "__dict__", {}).get("log"), UNBOUND):
            vars(logger).pop("bind", None)  # what it found at its first use


@pytest.fixture(params=["here", "elsewhere"])
def wherever(request):
    """Connections of mail senders are conversed where they were accepted, and then by another ingress."""
    from tests.support.ingress import passing_on

    token = passing_on.set(request.param == "elsewhere")
    yield request.param
    passing_on.reset(token)


@pytest.fixture(scope="session")
def mail_dir() -> Path:
    """The messages that others wrote, with expected values. They are not ours to publish: no test is there without."""
    return FOREIGN_MAIL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In CI whole systems get one more try; what reads foreign messages is left out where they are not."""
    if os.environ.get("CI"):
        for item in items:
            if TRIED_AGAIN.intersection(item.path.parts):
                item.add_marker(pytest.mark.flaky(reruns=1))
    if FOREIGN_MAIL.is_dir():
        return
    left_out = [item for item in items if "mail_dir" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = len(left_out)
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = len(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each worker of xdist leaves out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, and why."""
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"left out: {count} tests over messages that others wrote (../shared/mail is not there)"
        )


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL for the tests of this process."""
    from tests.support import postgres

    with postgres.server() as running:
        yield running


@pytest.fixture
def postgres(postgres_server):
    """The URL of a fresh database in it."""
    with postgres_server.database() as url:
        yield url
