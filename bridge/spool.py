"""The spool: where a message lies while it arrives, in memory when small, else in a file.

Invariants: a file here has a random name ending in `.eml`; `SpooledMessage.finish` returns only
after file and directory are synced, so that whoever commits a row naming the file can rely on it;
the event loop never waits for the disk. A file whose row is gone is removed only while nobody holds the
spool (`staying`), in whichever process. Nobody else opens, reads or removes anything here: others know
a file by its name alone (`Body.spooled`, `StoredBody.file`).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple

from bridge.errors import StoreFullError, StoreUnavailableError
from bridge.mail.digest import ContentDigest
from bridge.model import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

MEMORY_BYTES = 128 * 1024
HEAD_BYTES = 256 * 1024
SYNC_BYTES = 8 * 2**20
"""So much is written at most before it is synced, so that no commit waits behind a whole large message."""

SUFFIX = ".eml"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Digest(Protocol):
    """What identifies a message's content: fed as it arrives, asked once."""

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The digest of all bytes so far."""


class Spool:
    """A directory of arriving messages. Threads of its own do all work on the disk."""

    def __init__(
        self,
        directory: Path,
        *,
        memory_limit: int = MEMORY_BYTES,
        digest: Callable[[], Digest] = ContentDigest,
        name: Callable[[], str] = lambda: secrets.token_hex(16),
        threads: int = 4,
    ) -> None:
        """Messages longer than `memory_limit` bytes go into files of `directory`, which is made."""
        self._directory = directory
        self._memory_limit = memory_limit
        self._digest = digest
        self._name = name
        self._disk = ThreadPoolExecutor(threads, thread_name_prefix="spool")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self) -> SpooledMessage:
        """A new, empty message; end it with `finish` or `discard`."""
        return SpooledMessage(
            lambda: self._directory / (self._name() + SUFFIX),
            memory_limit=self._memory_limit,
            digest=self._digest(),
            disk=self._disk,
        )

    async def read(self, name: str) -> bytes | None:
        """All of a finished message, by the name in its Body; None when its file is gone.

        Raises StoreUnavailableError when the disk does not give it.
        """
        return await _in_thread(self._disk, _read, self._directory / name)

    async def clear(self, *names: str) -> bool:
        """Remove messages whose rows are gone; False when somebody holds the spool, and all of them are still there.

        Raises as `discard`.
        """
        return await _in_thread(self._disk, remove, self._directory, names)

    async def discard(self, *names: str) -> None:
        """Remove finished messages that no row names; on return their files are gone.

        Raises StoreUnavailableError when one cannot be removed; those that are gone already do not matter.
        """
        for name in names:
            await _in_thread(self._disk, _unlink, self._directory / name)

    async def sweep(self, known: Collection[str]) -> int:
        """Remove all messages whose names are not in `known`; return how many: none while somebody holds the spool.

        For the start, before anything listens: a message that is arriving is not known yet.
        """
        names = await _in_thread(self._disk, _names, self._directory)
        unknown = [name for name in names if name not in known]
        if not await self.clear(*unknown):
            return 0
        return len(unknown)

    async def size(self) -> tuple[int, int]:
        """How many bytes lie here, and in how many files; raises StoreUnavailableError."""
        sizes = await _in_thread(self._disk, _sizes, self._directory)
        return sum(sizes), len(sizes)

    def close(self) -> None:
        """Let the disk threads finish what they have, then end them."""
        self._disk.shutdown(wait=True)


class SpooledMessage:
    """One message on its way in. Not for use by two tasks at once."""

    def __init__(
        self, place: Callable[[], Path], *, memory_limit: int, digest: Digest, disk: ThreadPoolExecutor
    ) -> None:
        """`place` says where its file is to be, if it comes to that."""
        self._place = place
        self._path: Path
        self._memory_limit = memory_limit
        self._digest = digest
        self._disk = disk
        self._head = bytearray()
        self._in_file = False
        self._lock = threading.Lock()  # a task that is cancelled leaves its thread at work
        self._fd: int | None = None
        self._discarded = False
        self._unsynced = 0
        self.size = 0

    @property
    def in_file(self) -> bool:
        """Whether it is on disk, or on its way there."""
        return self._in_file

    def take(self, chunk: bytes) -> bool:
        """Append at once; False, and nothing is appended, when memory has no room for it."""
        if self._in_file or self.size + len(chunk) > self._memory_limit:
            return False
        self.size += len(chunk)
        self._digest.update(chunk)
        self._head += chunk
        return True

    async def write(self, chunk: bytes) -> None:
        """Append. Raises StoreFullError or StoreUnavailableError; then only `discard` is left."""
        if self.take(chunk):
            return
        self.size += len(chunk)
        if self._in_file:
            self._head += chunk[: max(0, HEAD_BYTES - len(self._head))]
            await self._on_disk(self._digest_and_append, chunk)
            return
        self._digest.update(chunk)
        self._head += chunk
        self._in_file = True
        self._path = self._place()
        whole = bytes(self._head)
        del self._head[HEAD_BYTES:]
        await self._on_disk(self._append, whole)

    def whole(self) -> Body:
        """The complete message, of one that is not in a file."""
        return Body(bytes(self._head), self.size, self._digest.digest())

    async def finish(self) -> Body:
        """The complete message, on stable storage if it is in a file. Raises as `write`."""
        if not self._in_file:
            return self.whole()
        await self._on_disk(self._sync)
        return Body(bytes(self._head), self.size, self._digest.digest(), self._path.name)

    def discard(self) -> None:
        """Forget the message; its file is removed soon. May be called at any time, also twice."""
        self._head = bytearray()
        if self._in_file:
            self._disk.submit(self._remove)

    async def _on_disk(self, work: Callable[..., None], *arguments: bytes) -> None:
        await _in_thread(self._disk, work, *arguments)

    def _digest_and_append(self, data: bytes) -> None:
        self._digest.update(data)
        self._append(data)

    def _append(self, data: bytes) -> None:
        with self._lock:
            if self._discarded:
                return
            if self._fd is None:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            self._unsynced += len(data)
            if self._unsynced >= SYNC_BYTES:
                self._unsynced = 0
                os.fdatasync(self._fd)

    def _sync(self) -> None:
        with self._lock:
            if self._fd is None:
                return
            os.fsync(self._fd)
            self._close()
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _remove(self) -> None:
        with self._lock:
            self._discarded = True
            self._close()
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


@contextmanager
def staying(directory: Path) -> Iterator[None]:
    """Have every file stay that is there now, until the block ends, whoever runs on this spool; several may hold it."""
    with _locked(directory, fcntl.LOCK_SH):
        yield


def remove(directory: Path, names: Collection[str]) -> bool:
    """Remove files unless somebody holds the spool; whether they are gone now. Raises OSError."""
    try:
        with _locked(directory, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for name in names:
                _unlink(directory / name)
    except BlockingIOError:
        return False
    return True


def size_of(directory: Path, name: str) -> int | None:
    """How many bytes a message has; None when its file is gone."""
    try:
        return (directory / name).stat().st_size
    except FileNotFoundError:
        return None


def files(directory: Path) -> list[Path]:
    """The files of all messages, finished or not."""
    return sorted(directory.glob("*" + SUFFIX))


def opened(directory: Path, name: str) -> IO[bytes]:
    """The file of a message, to be read; raises OSError."""
    return (directory / name).open("rb")


@contextmanager
def _locked(directory: Path, how: int) -> Iterator[None]:
    """Hold the directory itself, so that no file has to be made for it; without one there is nothing to hold."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


async def _in_thread(disk: ThreadPoolExecutor, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """What `work` returns; raises StoreFullError or StoreUnavailableError for what the disk reports."""
    try:
        return await asyncio.get_running_loop().run_in_executor(disk, work, *arguments)
    except OSError as error:
        kind = StoreFullError if error.errno in _FULL else StoreUnavailableError
        raise kind(f"the spool cannot be used: {error}") from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _names(directory: Path) -> list[str]:
    return [path.name for path in files(directory)]


def _sizes(directory: Path) -> list[int]:
    """Of all files; one that goes meanwhile is none."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found.append(entry.stat(follow_symlinks=False).st_size)
    return found
