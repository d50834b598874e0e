"""A backup is read to its last byte before anything of it counts, and a damaged one never does."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.archive import contents, tape, unpacking
from bridge.archive.contents import BackupError, Head
from bridge.store import database

DATABASE, LARGE = b"the database" * 5000, b"a large message" * 20_000
NAMES = (contents.DATABASE, "spool/00ff.eml")


def head(**changed):
    values: dict[str, Any] = {
        "version": "9.9",
        "schema": database.newest_schema(),
        "created_ms": 0,
        "node": "main",
        "users": 1,
        "messages": 1,
        "bodies": 1,
        "spool_files": 1,
        "size": len(DATABASE) + len(LARGE),
    }
    return Head(**values | changed)


def backup(*, begin=None, members=None, tail=True, behind=()):
    stream = io.BytesIO()
    writer = tape.ArchiveWriter(stream, made_s=1)
    if begin is not None:
        writer.add_text(contents.HEAD, begin.written())
    for name, content in (members or {NAMES[0]: DATABASE, NAMES[1]: LARGE}).items():
        writer.add(name, io.BytesIO(content), size=len(content))
    if tail:
        writer.add_text(contents.TAIL, contents.checksums(writer.members))
    for name in behind:
        writer.add_text(name, b"more")
    writer.close()
    return stream.getvalue()


def reading(content):
    return io.BufferedReader(io.BytesIO(content))


WHOLE = backup(begin=head())


def test_a_whole_one_is_what_was_saved(tmp_path):
    unpacked = unpacking.unpack(reading(WHOLE), tmp_path / "fresh")
    assert (unpacked.head, unpacked.names) == (head(), NAMES)
    assert [(tmp_path / "fresh" / name).read_bytes() for name in NAMES] == [DATABASE, LARGE]
    assert {each.stat().st_mode & 0o777 for each in (tmp_path / "fresh").rglob("*.*")} == {0o600}
    assert unpacking.verify(reading(gzip.compress(WHOLE))) == unpacked


@pytest.mark.parametrize("where", range(0, len(WHOLE), len(WHOLE) // 97))
def test_a_byte_that_changed_is_found(where):
    """But for those that say nothing: what fills a member's last block, and fields of a header that nobody reads."""
    damaged = bytearray(WHOLE)
    damaged[where] ^= 0x55
    try:
        read = unpacking.verify(reading(bytes(damaged)))
    except BackupError:
        return
    assert (read.head, read.names) == (head(), NAMES)


@pytest.mark.parametrize("packed", [WHOLE, gzip.compress(WHOLE)], ids=["tar", "gz"])
@pytest.mark.parametrize("tenth", range(9))
def test_one_that_is_cut_off_is_found(packed, tenth, tmp_path):
    with pytest.raises(BackupError):
        unpacking.unpack(reading(packed[: len(packed) * tenth // 10]), tmp_path / "fresh")


def test_compression_that_was_damaged_is_found():
    packed = bytearray(gzip.compress(WHOLE))
    for where in (len(packed) // 2, -6):
        damaged = packed.copy()
        damaged[where] ^= 0xFF
        with pytest.raises(BackupError):
            unpacking.verify(reading(bytes(damaged)))


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (b"no archive at all" * 1000, "no archive"),
        (backup(), r"it does not begin with postbell-backup.json"),
        (backup(begin=head(), tail=False), "cut off before its end"),
        (backup(begin=head(), behind=["local.key"]), "'local.key' stands behind its end"),
        (backup(begin=head(), members={"etc/passwd": b"root"}), "'etc/passwd' does not belong"),
        (backup(begin=head(schema=99)), r"newer Postbell \(9.9, schema 99"),
    ],
)
def test_what_is_no_backup_for_us_is_refused(stream, problem, tmp_path):
    with pytest.raises(BackupError, match=problem):
        unpacking.unpack(reading(stream), tmp_path / "fresh")
    assert list((tmp_path / "fresh").rglob("passwd")) == []


def test_a_member_that_comes_twice_is_refused():
    stream = io.BytesIO()
    writer = tape.ArchiveWriter(stream, made_s=1)
    writer.add_text(contents.HEAD, head().written())
    for _ in range(2):
        writer.add(contents.DATABASE, io.BytesIO(DATABASE), size=len(DATABASE))
    writer.close()
    with pytest.raises(BackupError, match="does not belong"):
        unpacking.verify(reading(stream.getvalue()))


def test_links_and_folders_are_refused(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        link = tarfile.TarInfo(contents.HEAD)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BackupError, match="is no plain file"):
        unpacking.unpack(reading(stream.getvalue()), tmp_path / "fresh")


def test_a_text_of_no_size_that_any_text_has_is_refused(monkeypatch):
    monkeypatch.setattr(tape, "LONGEST_TEXT", 10)
    with pytest.raises(BackupError, match="too large"):
        unpacking.verify(reading(WHOLE))


def test_without_room_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(BackupError, match="needs 16 MiB, and 1 are free"):
        unpacking.unpack(reading(WHOLE), tmp_path / "fresh")
    assert list((tmp_path / "fresh").rglob("*.*")) == []


def test_a_file_that_becomes_shorter_is_told():
    writer = tape.ArchiveWriter(io.BytesIO(), made_s=1)
    with pytest.raises(BackupError, match="became shorter"):
        writer.add("local.key", io.BytesIO(b"12"), size=3)
