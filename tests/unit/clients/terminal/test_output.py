"""Standard output: whole entries, and exact knowledge of what a file holds already."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.errors import OutputError, ReaderGoneError
from clients.terminal.output import Output

ENTRY = b'{"id": "00t64ks8n", "subject": "a"}\n'


def missing(tmp_path, content, entry=ENTRY):
    file = tmp_path / "out"
    file.write_bytes(content)
    with file.open("ab") as out:
        return Output(out.fileno()).missing(entry)


@pytest.mark.parametrize("before", [b"", b'{"id": "earlier"}\n', b"no line break yet\n" * 9000])
@pytest.mark.parametrize("after", [b"", b"another program's line\n", b"and one that is torn"])
def test_entry_that_is_there_is_not_written_again(tmp_path, before, after):
    assert missing(tmp_path, before + ENTRY + after) == b""


@pytest.mark.parametrize("before", [b"", b'{"id": "earlier"}\n'])
def test_torn_entry_is_completed(tmp_path, before):
    for length in range(len(ENTRY)):
        rest = missing(tmp_path, before + ENTRY[:length])
        assert before + ENTRY[:length] + rest == before + ENTRY


def test_entry_is_not_taken_for_the_end_of_a_longer_line(tmp_path):
    assert missing(tmp_path, b"x" + ENTRY) == ENTRY


def test_strange_torn_line_is_ended_first(tmp_path):
    assert missing(tmp_path, b"something else") == b"\n" + ENTRY


def test_pipe_cannot_be_asked():
    reader, writer = os.pipe()
    os.write(writer, ENTRY)
    assert Output(writer).missing(ENTRY) == ENTRY
    os.close(reader)
    with pytest.raises(ReaderGoneError, match="who read standard output has gone"):
        Output(writer).write(ENTRY)
    os.close(writer)


def test_a_disk_that_is_full_is_told():
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OutputError, match="No space left on device"):
        Output(full.fileno()).write(ENTRY)


def test_non_blocking_pipe_is_waited_for():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    entry, got = bytes(300_000), bytearray()

    def read_all():
        while len(got) < len(entry):
            got.extend(os.read(reader, 65536))

    drain = threading.Thread(target=read_all)
    drain.start()
    Output(writer).write(entry)
    drain.join(30)
    assert bytes(got) == entry
    os.close(reader)
    os.close(writer)


def test_file_that_was_removed_can_still_be_asked(tmp_path):
    file = tmp_path / "out"
    with file.open("ab") as out:
        Output(out.fileno()).write(ENTRY)
        file.unlink()
        assert Output(out.fileno()).missing(ENTRY) == b""


@given(
    lines=st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=4),
    entry=st.binary(min_size=1, max_size=40).map(lambda line: line.replace(b"\n", b"") + b"\n"),
    cut=st.integers(0, 40),
)
def test_after_completion_the_entry_stands_there(tmp_path_factory, lines, entry, cut):
    content = b"".join(lines) + entry[:cut]
    whole = content + missing(tmp_path_factory.mktemp("output"), content, entry)
    assert b"\n" + entry in b"\n" + whole
