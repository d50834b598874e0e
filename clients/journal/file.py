"""The state file of one device: an append-only journal and, beside it, the mark of what was printed.

Docs: docs/decisions/0004-the-screen-and-exactly-once.md. The order is: record in the journal, print,
move the mark. So at most the last recorded message can be uncertain, and only if the process died
between `write(1)` and the next machine instructions.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from typing import TYPE_CHECKING, Self

from clients.errors import StateError, StateLockedError
from clients.journal import records
from clients.journal.snapshot import Snapshot

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from clients.journal.records import Record
    from clients.journal.snapshot import Entry

COMPACT_BYTES = 256 * 1024
"""The journal is rewritten when it grew by this much and by its own size since the last time."""

_MARK = struct.Struct("<Q")


class Journal:
    """Opened state of one device, locked against every other process.

    Raises StateLockedError when another process has it open, StateError when it cannot be used.
    A process that is killed at any instant leaves a journal that opens. Nothing is synced to disk
    one by one: after a power cut the digest finds what the journal has lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._mark_fd = os.open(path.with_name(path.name + ".mark"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateError(f"cannot open the state file {path}: {error.strerror}") from error
        try:
            self._open()
        except BaseException:
            os.close(self._mark_fd)
            raise

    def _open(self) -> None:
        try:
            fcntl.flock(self._mark_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._mark_fd).st_size < _MARK.size:
                os.ftruncate(self._mark_fd, _MARK.size)
            self._mark = mmap.mmap(self._mark_fd, _MARK.size)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except BlockingIOError as error:
            raise StateLockedError(f"another process uses the state file {self._path}") from error
        except OSError as error:
            raise StateError(f"cannot open the state file {self._path}: {error.strerror}") from error
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._fd, whole)
        self.snapshot = Snapshot.of(content[:whole].splitlines(keepends=True))
        self.snapshot.sequence = max(self.snapshot.sequence, self._marked())
        self._size = self._compact_at = whole
        self._plan_compaction()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mark.close()
        os.close(self._fd)
        os.close(self._mark_fd)

    @property
    def uncertain(self) -> Entry | None:
        """The message that was recorded last, if nobody knows whether it reached the screen."""
        last = self.snapshot.last
        return last if last is not None and last.sequence > self._marked() else None

    def append(self, *added: Record) -> None:
        """Write records, all at once; when this returns they survive the death of this process."""
        lines = b"".join(records.encode(each) for each in added)
        _write_all(self._fd, lines, self._path)
        self._size += len(lines)
        for each in added:
            self.snapshot.add(each)

    def announce(self, mail_id: str, payload: bytes) -> int:
        """Record that a message is about to be printed; the result is for `printed`."""
        sequence = self.snapshot.sequence + 1
        self.append(records.shown(sequence, mail_id, payload))
        return sequence

    def printed(self, sequence: int) -> None:
        """The announced message is on the screen. One store to mapped memory, no system call."""
        _MARK.pack_into(self._mark, 0, sequence)

    def compact(self) -> None:
        """Rewrite the journal, if it has grown enough and nothing in it is uncertain."""
        if self._size < self._compact_at or self.uncertain is not None:
            return
        fresh = self._path.with_name(self._path.name + ".new")
        lines = b"".join(records.encode(each) for each in self.snapshot.records())
        try:
            fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            _write_all(fd, lines, fresh)
            os.fsync(fd)
            fresh.replace(self._path)
        except OSError as error:
            raise StateError(f"cannot write {fresh}: {error.strerror}") from error
        os.close(self._fd)
        self._fd, self._size = fd, len(lines)
        self._plan_compaction()

    def _plan_compaction(self) -> None:
        self._compact_at = self._size + max(COMPACT_BYTES, self._size)

    def _marked(self) -> int:
        sequence: int = _MARK.unpack_from(self._mark, 0)[0]
        return sequence


def look(path: Path) -> Snapshot:
    """What the state file of a device adds up to, also while another process has it; empty where there is none.

    Raises StateError when it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Snapshot()
    except OSError as error:
        raise StateError(f"cannot read the state file {path}: {error.strerror}") from error
    return Snapshot.of(content[: content.rfind(b"\n") + 1].splitlines(keepends=True))


def _write_all(fd: int, data: bytes, path: Path) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error
