"""How much a command imports before it does anything: what no start waits for, counted and not timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import typer

from bridge.cli import main
from bridge.cli.commands import Postbell

HEAVY = {
    *("aiohttp", "aiosmtpd", "amqtt", "argon2", "bcrypt", "cryptography", "paho", "prometheus_client", "pwdlib"),
    *("pydantic", "resiliparse", "rich", "segno", "structlog", "uvloop", "websockets"),
}
"""What takes long to import, and belongs to commands that need it."""
LOOKING = HEAVY | {"asyncio", "ssl"}
STARTING = LOOKING | {"sqlite3"}

STARTED = """
import json, sys
from bridge.__main__ import main
sys.argv = ["postbell", *sys.argv[1:]]
try:
    main()
except SystemExit as leaving:
    print(json.dumps([leaving.code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the state of an installation that has a user."""
    directory = tmp_path_factory.mktemp("place")
    (directory / "mail.eml").write_text("Subject: Hello\n\nIt works.\n")
    imported(directory, "user", "add", "alice", "--address", "alice@example.org")
    imported(directory, "device", "add", "alice", "phone")
    return directory


def _without_ours():
    """The environment without settings, and without what has coverage count, which imports for itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("POSTBELL_", "COVERAGE_"))}


def imported(place, *words):
    """The modules that a command imports."""
    environment = _without_ours()
    environment["POSTBELL_STATE_DIR"] = str(place / "state")
    for section in ("SMTP", "BROKER"):  # since something else may listen at the usual ports
        environment[f"POSTBELL_{section}__LISTEN"] = "127.0.0.1:0"
    command = [sys.executable, "-c", STARTED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=place, env=environment)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code in {0, 1}, done.stderr
    return modules


@pytest.mark.parametrize(
    ("words", "without", "most"),
    [
        ("--help", STARTING, 180),
        ("--version", STARTING, 225),
        ("push --help", STARTING, 185),
        ("broker --help", STARTING, 185),
        ("serve --help", STARTING, 185),
        ("doctor --help", STARTING, 195),
        ("init --help", STARTING | {"tempfile"}, 205),
        ("user list", LOOKING, 235),
        ("user add bob --address bob@example.org", LOOKING, 240),
        ("device list", LOOKING, 260),
        ("device add alice tablet", LOOKING - {"bcrypt"}, 265),
        ("mailbox list", LOOKING, 240),
        ("status", LOOKING, 250),
        ("trace alice 01qnwpgkg", LOOKING - {"ssl"}, 275),  # it is not there, and errors of TLS are told as well
        ("config check", STARTING, 230),
        ("config show", STARTING, 220),
        ("send --server 127.0.0.1:1 mail.eml --to alice@example.org", HEAVY | {"asyncio"}, 265),
    ],
)
def test_a_command_imports_what_it_needs_and_no_more(place, words, without, most):
    modules = imported(place, *words.split())
    assert without.isdisjoint(name.partition(".")[0] for name in modules)
    assert len(modules) <= most


def test_the_brokers_program_judges_its_part_with_little():
    """Commands ask it, and wait for it."""
    asked = (
        "import sys; from broker import telling; sys.argv[1:] = ['check']; telling.main(); print(sorted(sys.modules))"
    )
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True, input="{}", env=_without_ours())
    problems, modules = done.stdout.split("]", 1)
    assert problems == "["
    unneeded = HEAVY | {"argparse", "sqlite3", "ssl", "tomllib"}
    assert unneeded.isdisjoint(name.partition(".")[0] for name in json.loads(modules.replace("'", '"')))


def test_the_overview_says_what_each_commands_own_help_begins_with():
    group: Any = typer.main.get_command(main.app)
    for name, finder in Postbell.finders.items():
        command = group.commands[name]
        assert command.name == name
        assert command.help.startswith(finder.__doc__), name
