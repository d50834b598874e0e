"""Every Python at hand reads the same out of the same mails.

Others than the running one are those of `.venv*/` in the repository, and the system's own where it
is of the same minor version and so can use the packages of the running one. Without any there is
nothing to compare, and no test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests import mail
from tests.unit.bridge.mail import readings

ROOT = Path(__file__).parents[4]
MAILS = [str(mail.OWN), str(mail.FOREIGN)]
SAY_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


def version_of(python: Path) -> str:
    said = subprocess.run([python, "-c", SAY_VERSION], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def others() -> dict[str, tuple[Path, dict[str, str]]]:
    """The other Pythons by their version: the program, and the environment it needs to read mail."""
    mine = "{}.{}.{}".format(*sys.version_info[:3])
    found = {version_of(python): (python, {}) for python in sorted(ROOT.glob(".venv*/bin/python"))}
    system = Path("/usr/bin/python3")
    if system.exists():
        version = version_of(system)
        if version.rpartition(".")[0] == mine.rpartition(".")[0]:
            found.setdefault(version, (system, {"PYTHONPATH": sysconfig.get_path("purelib")}))
    return {version: python for version, python in found.items() if version not in {mine, ""}}


OTHERS = others()


if OTHERS:

    @pytest.mark.parametrize("version", OTHERS)
    def test_another_python_reads_the_same(version):
        python, needs = OTHERS[version]
        command: list[str | Path] = [python, "-m", readings.__name__, *MAILS]
        told = subprocess.run(command, cwd=ROOT, env=os.environ | needs, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
        theirs = dict(map(json.loads, told.stdout.splitlines()))
        mine = dict(map(json.loads, readings.lines(MAILS)))
        assert mine.keys() == theirs.keys() >= {str(path) for path in (*mail.own(), *mail.foreign())}
        assert {path: values for path, values in theirs.items() if values != mine[path]} == {}


def test_readings_tell_all_that_a_device_may_ask_for():
    raw = b"From: Ann <a@example.org>\r\nSubject: Hi\r\n\r\nSee you.\r\n"
    told = readings.values(raw)
    assert told["extract"]["from_address"] == "a@example.org"
    assert told["extract"]["snippet"] == "See you."
    assert [part["content_type"] for part in told["parts"]] == ["text/plain"]
    assert told.keys() == {"extract", "parts", "bodies", "text", "digest"}
