"""Where a body goes: nothing in it commands a terminal, and a file is whole or not there."""

from __future__ import annotations

import os

import pytest

from clients.errors import OutputError
from clients.terminal.output import Output
from clients.terminal.read.destination import FileDestination, ReadableDestination


@pytest.mark.parametrize(
    ("body", "printed"),
    [
        (b"one\r\ntwo", "one\ntwo\n"),
        (b"tab\there\n", "tab\there\n"),
        (b"\x1b[2J\x9b\xc2\x9b\x07\r", "\ufffd[2J\ufffd\ufffd\ufffd\ufffd\n"),
        ("\u202etxt.exe".encode(), "\ufffdtxt.exe\n"),
    ],
)
def test_body_is_made_readable(tmp_path, body, printed):
    with (tmp_path / "out").open("wb") as out:
        destination = ReadableDestination(Output(out.fileno()))
        for byte in body:
            destination.write(bytes([byte]))
        destination.finish()
    assert (tmp_path / "out").read_bytes().decode() == printed


def test_file_appears_when_it_is_complete_or_not_at_all(tmp_path):
    target = tmp_path / "plan.png"
    destination = FileDestination(target)
    destination.write(b"half")
    assert not target.exists()
    destination.abandon()
    assert list(tmp_path.iterdir()) == []
    destination = FileDestination(target)
    destination.write(b"whole")
    destination.finish()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_cannot_be_written_is_told_by_its_name(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*plan\.png: No such file"):
        FileDestination(tmp_path / "absent" / "plan.png")
    destination = FileDestination(tmp_path / "plan.png")
    os.close(destination._fd)
    with pytest.raises(OutputError, match=r"cannot write .*plan\.png: Bad file descriptor"):
        destination.write(b"x")
    with pytest.raises(OutputError, match=r"cannot write .*plan\.png: Bad file descriptor"):
        destination.finish()
    assert not (tmp_path / "plan.png").exists()
