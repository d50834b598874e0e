"""Reading a backup: every byte is compared with its checksum before anything of it counts."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from bridge.archive import contents, tape
from bridge.archive.contents import BackupError, Head
from bridge.store import database
from bridge.store.copies import MARGIN_BYTES, sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

    from bridge.archive.contents import Member


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A backup that proved to be whole, and the names of its members."""

    head: Head
    names: tuple[str, ...]


def verify(stream: BufferedReader) -> Unpacked:
    """Read a backup and write nothing; raises BackupError unless every byte of it is as it was saved."""
    return _read(stream, begin=lambda _: None, put=lambda _: lambda _: None)


def unpack(stream: BufferedReader, into: Path) -> Unpacked:
    """Write the members of a backup into a new directory, synced; raises BackupError, or OSError of the disk.

    Refused before anything is written are a backup of a newer version, and one for which there is no room.
    """
    into.mkdir(mode=0o700)
    (into / contents.SPOOL).mkdir(mode=0o700)
    with closing(_Disk(into)) as disk:
        unpacked = _read(stream, begin=disk.begin, put=disk.put)
        disk.finish()
    for directory in (into / contents.SPOOL, into):
        sync_directory(directory)
    return unpacked


class _Disk:
    """Writes members into a directory, one behind the other."""

    def __init__(self, into: Path) -> None:
        self._into = into
        self._file: IO[bytes] | None = None

    def begin(self, head: Head) -> None:
        needed, free = head.size + MARGIN_BYTES, shutil.disk_usage(self._into).free
        if free < needed:
            raise BackupError(
                f"{self._into.parent}: this backup needs {needed >> 20} MiB, and {free >> 20} are free; make room there"
            )

    def put(self, name: str) -> Callable[[bytes], object]:
        """Finish the last one, and begin the next; what writes into it."""
        self.finish()
        descriptor = os.open(self._into / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        return self._file.write

    def finish(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _read(
    stream: BufferedReader, *, begin: Callable[[Head], object], put: Callable[[str], Callable[[bytes], object]]
) -> Unpacked:
    members = tape.members(stream)
    head = _head(members)
    begin(head)
    found: dict[str, Member] = {}
    told: list[Member] | None = None
    for member in members:
        if told is not None:
            raise BackupError(f"this backup is damaged: {member.name!r} stands behind its end; take another one")
        if member.name == contents.TAIL:
            told = contents.parse_checksums(member.text())
        elif not contents.belongs(member.name) or member.name in found:
            raise BackupError(f"this is no backup of Postbell's: {member.name!r} does not belong in one")
        else:
            found[member.name] = member.drain(put(member.name))
    if told is None:
        raise BackupError("this backup is cut off before its end; take another one")
    contents.compare(told, list(found.values()))
    return Unpacked(head, tuple(found))


def _head(members: Iterator[tape.ArchiveMember]) -> Head:
    first = next(members, None)
    if first is None or first.name != contents.HEAD:
        raise BackupError(f"this is no backup of Postbell's: it does not begin with {contents.HEAD}")
    head = Head.parse(first.text())
    newest = database.newest_schema()
    if head.schema > newest:
        raise BackupError(
            f"this backup is of a newer Postbell ({head.version}, schema {head.schema}; here it is {newest}): "
            "restore it with that version"
        )
    return head
