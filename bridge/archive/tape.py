"""An archive as a stream of members, one behind the other: tar, written with checksums and read with them."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

from bridge.archive.contents import LONGEST_TEXT, BackupError, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader

CHUNK_BYTES = 2**20
_GZIP: Final = b"\x1f\x8b"
_XZ: Final = b"\xfd7zXZ\0"
_BZIP2: Final = b"BZh"


class Readable(Protocol):
    """Whatever bytes come out of."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many of the next bytes, none at the end."""


class _Summed:
    """A file that is read once, with the checksum of what was read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._file.read(size)
        self.sha256.update(chunk)
        return chunk


class ArchiveWriter:
    """Writes members into a stream. `made_s` is the time that they all bear, in epoch seconds."""

    def __init__(self, stream: IO[bytes], *, made_s: int) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", bufsize=CHUNK_BYTES)  # noqa: SIM115 - `close` closes it
        self._made_s = made_s
        self.members: list[Member] = []

    def add(self, name: str, file: Readable, *, size: int) -> None:
        """Write a member of so many bytes; raises BackupError when the file has fewer, OSError when it cannot go on."""
        summed = _Summed(file)
        try:
            self._tar.addfile(self._described(name, size), summed)
        except OSError as error:
            if error.errno is None:  # the library's own: the file ended too early
                raise BackupError(f"{name} became shorter while it was saved; try again") from error
            raise
        self.members.append(Member(name, size, summed.sha256.hexdigest()))

    def add_text(self, name: str, text: bytes) -> None:
        """Write a member that does not count as one: a text about the others."""
        self._tar.addfile(self._described(name, len(text)), io.BytesIO(text))

    def close(self) -> None:
        """End the archive; the stream stays open."""
        self._tar.close()

    def _described(self, name: str, size: int) -> tarfile.TarInfo:
        described = tarfile.TarInfo(name)
        described.size, described.mode, described.mtime = size, 0o600, self._made_s
        return described


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One member as it comes: its bytes can be read until the next one is asked for."""

    name: str
    size: int
    _file: Readable

    def text(self) -> bytes:
        """All of it, for those that are texts."""
        if self.size > LONGEST_TEXT:
            raise BackupError(f"this archive is damaged: {self.name} is too large; take another one")
        with _sound():
            return self._file.read()

    def drain(self, write: Callable[[bytes], object]) -> Member:
        """Pass all of it on; what it was. Raises BackupError when the archive ends before it."""
        summed = _Summed(self._file)
        while True:
            with _sound():
                chunk = summed.read(CHUNK_BYTES)
            if not chunk:
                break
            write(chunk)
        return Member(self.name, self.size, summed.sha256.hexdigest())


def members(stream: BufferedReader) -> Iterator[ArchiveMember]:
    """The members of an archive, compressed or not; raises BackupError for what is none."""
    with _sound():
        tar = tarfile.open(fileobj=_plain(stream), mode="r|", bufsize=CHUNK_BYTES)  # noqa: SIM115 - closed below
    with tar:
        while True:
            with _sound():
                described = tar.next()
            if described is None:
                return
            file = tar.extractfile(described) if described.isreg() else None
            if file is None:
                raise BackupError(f"this is no archive of Postbell's: {described.name!r} is no plain file")
            yield ArchiveMember(described.name, described.size, file)
            tar.members = []  # type: ignore[attr-defined]  # the library would keep every one


def _plain(stream: BufferedReader) -> IO[bytes]:
    """What a stream holds, without the compression that its first bytes tell of."""
    start = stream.peek(len(_XZ))
    if start.startswith(_GZIP):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))
    if start.startswith(_XZ):
        return lzma.LZMAFile(stream)
    return bz2.BZ2File(stream) if start.startswith(_BZIP2) else stream


@contextmanager
def _sound() -> Iterator[None]:
    """What the libraries say of bytes that are no archive, or of one that is damaged, is ours."""
    try:
        yield
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        raise BackupError(f"this is no archive, or a damaged one, or cut off ({error}); take another one") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise BackupError(f"this archive is damaged ({error}); take another one") from error
