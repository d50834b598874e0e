"""The arrows hold: an import that does not belong where it is planted is refused by the contract that forbids it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BRIDGE_LAYERS = "The bridge's layers point one way"
BRIDGE_PURE = "The bridge's pure half touches no socket, thread, disk or clock"
USE_CASES = "The bridge's use cases are handed disk, sockets and clock"
BROKER_LAYERS = "The broker's layers point one way"
BROKER_PURE = "The broker's pure half touches no socket, thread, disk or clock"
CLIENTS_LAYERS = "The clients' layers point one way"
CLIENTS_PURE = "The clients' pure half touches no socket, thread, disk or clock"
APART = "Bridge, broker and clients know one another only by the contract"
CIRCLES = "No package and no module goes round in a circle"

PLANTED = [
    ("bridge/mail/text.py", "import socket", BRIDGE_PURE),
    ("bridge/mail/charsets.py", "import sqlite3", BRIDGE_PURE),
    ("bridge/mail/headers.py", "import time", BRIDGE_PURE),
    ("bridge/mail/mime.py", "from pathlib import Path", BRIDGE_PURE),
    ("bridge/contract/header.py", "import asyncio", BRIDGE_PURE),
    ("bridge/rules/alert.py", "import threading", BRIDGE_PURE),
    ("bridge/directory.py", "import os", BRIDGE_PURE),
    ("bridge/reconcile.py", "import structlog", BRIDGE_PURE),
    ("bridge/model.py", "from bridge.errors import PostbellError", BRIDGE_LAYERS),
    ("bridge/errors.py", "from bridge.config import settings", BRIDGE_LAYERS),
    ("bridge/mail/snippet.py", "from bridge.store import database", BRIDGE_PURE),
    ("bridge/mail/snippet.py", "from bridge.contract import ids", BRIDGE_LAYERS),
    ("bridge/rules/alert.py", "from bridge.mail import headers", BRIDGE_LAYERS),
    ("bridge/intake.py", "import sqlite3", USE_CASES),
    ("bridge/intake.py", "from bridge.requests import Requests", BRIDGE_LAYERS),
    ("bridge/requests/requests.py", "from bridge.store.store import Store", BRIDGE_LAYERS),
    ("bridge/publish/outbox.py", "import paho.mqtt.client", USE_CASES),
    ("bridge/config/settings.py", "from bridge.daemon import logs", BRIDGE_LAYERS),
    ("bridge/store/store.py", "from bridge.ingress import server", BRIDGE_LAYERS),
    ("bridge/store/store.py", "from bridge.publish import link", BRIDGE_LAYERS),
    ("bridge/ingress/server.py", "from bridge.daemon import app", BRIDGE_LAYERS),
    ("bridge/setup/postfix.py", "from bridge.cli import setup", BRIDGE_LAYERS),
    ("bridge/mail/fields.py", "from bridge.mail import headers", CIRCLES),
    ("bridge/contract/topics.py", "from broker import topics", APART),
    ("broker/acl.py", "from broker import server", BROKER_LAYERS),
    ("broker/acl.py", "import sqlite3", BROKER_PURE),
    ("broker/retained.py", "import time", BROKER_PURE),
    ("broker/topics.py", "import asyncio", BROKER_PURE),
    ("broker/router.py", "from broker import app", BROKER_LAYERS),
    ("broker/auth.py", "from bridge.store import logins", APART),
    ("clients/box/inbox.py", "from clients import session", CLIENTS_LAYERS),
    ("clients/box/inbox.py", "import time", CLIENTS_PURE),
    ("clients/contract/header.py", "import socket", CLIENTS_PURE),
    ("clients/session.py", "from clients.terminal import screen", CLIENTS_LAYERS),
    ("clients/contract/digest.py", "from bridge.contract import header", APART),
]
TYPES_ONLY = "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}\n"
ASKED = [
    ("bridge/mail/dates.py", "import datetime\nNOW = datetime.datetime.now(datetime.UTC)"),
    ("bridge/rules/alert.py", "from datetime import UTC, datetime\nNOW = datetime.now(UTC)"),
    ("clients/contract/header.py", "from datetime import date\nTODAY = date.today()"),
    ("bridge/mail/params.py", "import urllib.request"),
    ("bridge/mail/charsets.py", "import codecs\nTEXT = codecs.open('x')"),
    ("bridge/graphemes.py", "TEXT = open('x')"),
]


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` as `make check` runs it."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program], cwd=tree, capture_output=True, text=True, timeout=60, check=False)


def broken(said: str) -> set[str]:
    """The names of the contracts that are broken."""
    return set(re.findall(r"^(.+) BROKEN\b", said, re.MULTILINE))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what the contracts are about."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("bridge", "broker", "clients"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "pyproject.toml",
        "tests/__init__.py",
        "tests/support/__init__.py",
        "tests/support/allowed_imports.py",
    ):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture
def plant(tree):
    """Plant lines at the end of a file; they are gone afterwards."""
    before = {}

    def add(name, text):
        before[name] = (tree / name).read_text(encoding="utf-8")
        (tree / name).write_text(f"{before[name]}\n{text}\n", encoding="utf-8")

    yield add
    for name, text in before.items():
        (tree / name).write_text(text, encoding="utf-8")


def test_the_tree_as_it_is_passes(tree):
    done = lint(tree)
    assert done.returncode == 0, done.stdout
    assert not broken(done.stdout)


@pytest.mark.parametrize(("name", "line", "contract"), PLANTED)
def test_a_planted_import_is_refused(tree, plant, name, line, contract):
    plant(name, line)
    done = lint(tree)
    assert done.returncode == 1, done.stdout
    assert contract in broken(done.stdout), done.stdout


@pytest.mark.parametrize(("name", "line", "contract"), PLANTED[::5])
def test_an_import_for_types_alone_is_refused_as_well(tree, plant, name, line, contract):
    plant(name, TYPES_ONLY.format(line))
    assert contract in broken(lint(tree).stdout)


@pytest.mark.parametrize(("name", "text"), ASKED)
def test_the_clock_the_web_and_files_are_not_asked_through_what_may_be_imported(tree, plant, name, text):
    plant(name, text)
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [ruff, "check", "--no-cache", "--select", "TID251,PTH123", name],
        cwd=tree, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout


def test_whatever_is_ignored_is_explained():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.importlinter]")[2].splitlines()
    assert [line for line in lines if " -> " in line and " # " not in line] == []
