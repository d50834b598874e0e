"""What `make run` promises: six lines, each true; stopped by Ctrl-C; the data kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.conftest import need
from tests.support.system import ROOT
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def surroundings(directory: Path) -> dict[str, str]:
    """The environment of a newcomer who has never run a client of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTBELL_")}
    return clean | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(directory / "home")}


@contextmanager
def demo(directory: Path, **given: str) -> Iterator[list[str]]:
    """The demonstration as `make run` starts it; the lines of its screen. Ended as by Ctrl-C."""
    log = directory / "screen"
    with log.open("wb") as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "serve", "--demo"],
            cwd=directory,
            env=surroundings(directory) | given,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=screen,
        )
    try:
        until(lambda: "Or by hand" in log.read_text(), what="the demonstration's screen")
        yield log.read_text().splitlines()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def ours(line: str) -> str:
    """A command line as the screen gives it, with this tree's program."""
    line = line.replace(".venv/bin/postbell", f"{sys.executable} -m bridge")
    return line.replace("docs/examples", str(ROOT / "docs" / "examples"))


def command(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    return subprocess.run(
        ours(line),
        shell=True,
        cwd=directory,
        env=surroundings(directory),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def running(line: str, directory: Path) -> Iterator[Path]:
    """Run a command line until the block ends; the file that it writes to."""
    output = directory / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            ours(line), shell=True, cwd=directory, env=surroundings(directory), stdin=subprocess.DEVNULL, stdout=stream
        )
    try:
        yield output
    finally:
        process.terminate()
        process.wait(20)


def named(screen: list[str], name: str) -> str:
    return next(line.removeprefix(name).strip() for line in screen if line.startswith(name))


def test_the_six_lines_of_make_run_are_true(tmp_path: Path) -> None:
    with demo(tmp_path) as screen:
        assert len(screen) == 6
        sent = command(named(screen, "Send"), tmp_path)
        assert re.fullmatch(r"250 2\.0\.0 [0-9a-z]{9} kept\n", sent.stdout), sent
        with running(f"exec env {named(screen, 'Watch')} --json", tmp_path) as watched:
            until(lambda: '"subject": "👩‍👩‍👧‍👦 family 🏳️‍🌈"' in watched.read_text(), what="the mail on the screen")
        first_login = named(screen, "Demo login")
    with demo(tmp_path) as screen:
        assert len(screen) == 6, "nothing is said of a broker that is only starting"
        assert named(screen, "Demo login") == first_login, "the data is kept"
        listed = command("env POSTBELL_STATE_DIR=.demo .venv/bin/postbell user list --json", tmp_path)
        assert '"live": 1' in listed.stdout


def test_it_listens_where_the_environment_says(tmp_path: Path) -> None:
    with demo(tmp_path, POSTBELL_BROKER__LISTEN="127.0.0.2:0", POSTBELL_STATE_DIR="/nowhere") as screen:
        assert re.search(r"MQTT on 127\.0\.0\.2:\d+\. ", screen[0])
        assert len(screen) == 6, "no phone can join there"
        assert (tmp_path / ".demo").is_dir()


def test_the_line_for_swaks_is_true(tmp_path: Path) -> None:
    need("swaks")
    with demo(tmp_path) as screen:
        done = command(named(screen, "Or by hand"), tmp_path)
        assert done.returncode == 0, done.stdout
        assert "250 2.0.0" in done.stdout


def test_the_readme_shows_this_screen() -> None:
    readme = (ROOT / "README.md").read_text()
    for start in (
        "Postbell runs. SMTP listens on",
        "Demo login",
        "In a browser http://",
        "Watch ",
        "Send ",
        "Or by hand",
    ):
        assert re.search(rf"^{re.escape(start)}", readme, re.MULTILINE), start


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_readme_names_the_two_commands(target: str) -> None:
    assert f"\nmake {target} " in (ROOT / "README.md").read_text()
