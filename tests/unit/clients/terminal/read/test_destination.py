"""Where a body goes: nothing in it commands a terminal, and a file is whole or not there."""

from __future__ import annotations

import os

import pytest

from clients.errors import OutputError, UsageError
from clients.terminal.output import Output
from clients.terminal.read.destination import FileDestination, NewFileDestination, ReadableDestination


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


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\x1f\x8b\x08\x06", bytes(range(1, 32))])
def test_what_is_no_text_is_refused_where_it_may_be_anything(tmp_path, body):
    def show(*, surely_text):
        destination = ReadableDestination(Output(out.fileno()), surely_text=surely_text)
        destination.write(body)
        destination.finish()

    with (tmp_path / "out").open("wb") as out:
        show(surely_text=True)
        with pytest.raises(UsageError, match="use --output FILE, or a pipe"):
            show(surely_text=False)


@pytest.mark.parametrize("body", ["Grüße, Ωmega, 你好", "a\tb\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "iso2022_jp_2", "latin-1"])
def test_what_is_text_in_some_encoding_is_shown(tmp_path, body, encoding):
    with (tmp_path / "out").open("wb") as out:
        destination = ReadableDestination(Output(out.fileno()), surely_text=encoding == "utf-16-le")
        destination.write(body.encode(encoding, "replace"))
        destination.finish()
    assert (tmp_path / "out").stat().st_size


def test_a_new_file_takes_the_place_of_no_other(tmp_path):
    (tmp_path / "plan.pdf").write_bytes(b"mine")
    (tmp_path / "plan (2).pdf").symlink_to(tmp_path / "elsewhere")
    destination = NewFileDestination(tmp_path / "plan.pdf")
    destination.write(b"theirs")
    destination.finish()
    assert destination.path == tmp_path / "plan (3).pdf"
    assert (destination.size, destination.path.read_bytes()) == (6, b"theirs")
    assert (tmp_path / "plan.pdf").read_bytes() == b"mine"
    assert not (tmp_path / "elsewhere").exists()
    assert len(list(tmp_path.iterdir())) == 3


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
