"""The file of an archive is there whole or not at all, and never in the place of another."""

from __future__ import annotations

import bz2
import errno
import fcntl
import gzip
import io
import lzma
import os
import sys

import pytest

from bridge.archive import target
from bridge.archive.contents import BackupError, TakenError
from bridge.archive.target import TargetError

CONTENT = b"all of it" * 1000


def written(path, *, overwrite=False):
    with target.opened(str(path), overwrite=overwrite) as stream:
        stream.write(CONTENT)
        assert not path.exists() or overwrite
    return path.read_bytes()


@pytest.mark.parametrize(
    ("suffix", "reading"),
    [
        (".tar", bytes),
        (".tar.gz", gzip.decompress),
        (".tgz", gzip.decompress),
        (".tar.xz", lzma.decompress),
        (".tar.bz2", bz2.decompress),
        ("", bytes),
    ],
)
def test_the_suffix_says_how_it_is_compressed(tmp_path, suffix, reading):
    path = tmp_path / f"b{suffix}"
    assert reading(written(path)) == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_left_alone_unless_that_is_asked_for(tmp_path):
    path = tmp_path / "b.tar"
    path.write_bytes(b"before")
    with pytest.raises(TakenError, match="there is such a file already"):
        written(path)
    assert path.read_bytes() == b"before"
    assert written(path, overwrite=True) == CONTENT


def test_one_that_comes_meanwhile_is_left_alone(tmp_path):
    path = tmp_path / "b.tar"
    with pytest.raises(TakenError, match="there is such a file by now"), target.opened(str(path), overwrite=False):
        path.write_bytes(b"meanwhile")
    assert path.read_bytes() == b"meanwhile"
    assert list(tmp_path.iterdir()) == [path]


def test_what_breaks_off_leaves_nothing(tmp_path):
    def breaking_off():
        with target.opened(str(tmp_path / "b.tar"), overwrite=False) as stream:
            stream.write(CONTENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaking_off()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_told(tmp_path):
    with (
        pytest.raises(BackupError, match=r"b.tar: No space left on device; the file was not written"),
        target.opened(str(tmp_path / "b.tar"), overwrite=False),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_one_left_behind_is_written_over(tmp_path):
    (tmp_path / ".b.tar.unfinished").write_bytes(b"x" * 100_000)
    assert written(tmp_path / "b.tar") == CONTENT


def test_two_at_once_do_not_mix(tmp_path):
    with (tmp_path / ".b.tar.unfinished").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TakenError, match="another archive is being written"):
            written(tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()


def test_a_disk_without_second_names_will_do(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert written(tmp_path / "b.tar") == CONTENT

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", broken)
    with pytest.raises(BackupError, match="Input/output error"):
        written(tmp_path / "c.tar")


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("", TakenError, "this is a directory"),
        ("b.tar.zst", TargetError, r"postbell … - \| zstd > "),
        ("nowhere/b.tar", BackupError, "there is no directory"),
    ],
)
def test_names_that_cannot_be(tmp_path, name, kind, problem):
    with pytest.raises(kind, match=problem):
        written(tmp_path / name)


def test_a_stream_goes_into_a_pipe_and_not_on_a_terminal(monkeypatch):
    class Output(io.TextIOWrapper):
        terminal = False

        def isatty(self):
            return self.terminal

    written_to = io.BytesIO()
    output = Output(written_to)
    monkeypatch.setattr(sys, "stdout", output)
    with target.opened("-", overwrite=False) as stream:
        stream.write(CONTENT)
    assert written_to.getvalue() == CONTENT
    with pytest.raises(BackupError, match="has gone"), target.opened("-", overwrite=False):
        raise BrokenPipeError
    output.terminal = True
    with pytest.raises(TargetError, match="not for a terminal"):
        target.opened("-", overwrite=False).__enter__()
