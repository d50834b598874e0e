"""The shared vectors bind the microcontroller's decoder, under the real interpreter and under CPython."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clients.micropython.build import SOURCE
from tests.conftest import need
from tests.support.micropython import compiled

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
PROGRAM = Path(__file__).with_name("vectors_on_board.py")


@pytest.mark.parametrize(
    ("interpreter", "as_bytecode"), [("micropython", False), ("micropython", True), ("python", False)]
)
def test_every_vector_comes_out_as_written(interpreter, as_bytecode, tmp_path):
    if as_bytecode:
        compiled(tmp_path / "postbell.mpy")
    where = tmp_path if as_bytecode else SOURCE.parent
    done = subprocess.run(
        [need(interpreter), PROGRAM, where, VECTORS], capture_output=True, text=True, check=False, timeout=60
    )
    assert not done.stderr
    *wrong, count = done.stdout.splitlines()
    assert not wrong
    assert int(count) >= 210
