"""Where an archive is written: a file that is there whole or not at all, compressed by its suffix, or a stream."""

from __future__ import annotations

import bz2
import errno
import fcntl
import gzip
import lzma
import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from bridge.archive.contents import BackupError, TakenError
from bridge.errors import ConfigurationError
from bridge.store.copies import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM: Final = "-"
"""The name of standard output, and of standard input."""
_GZIP_LEVEL, _XZ_LEVEL = 3, 1
_OTHERS = {".zst": "zstd", ".lz4": "lz4", ".zip": "zip", ".7z": "7z", ".rar": "rar", ".lzo": "lzop"}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class TargetError(ConfigurationError):
    """The file that was named cannot be written so."""


@contextmanager
def opened(name: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """A stream into the file of a name, which appears when the block has ended without an error, synced, mode 0600.

    Raises TakenError when there is one already, unless `overwrite`; BackupError when it cannot be written; TargetError
    for what cannot be meant.
    """
    try:
        with _opened(name, overwrite=overwrite) as stream:
            yield stream
    except BrokenPipeError:
        raise BackupError("who read the output has gone; nothing more was written") from None
    except OSError as error:
        raise BackupError(f"{name}: {error.strerror or error}; the file was not written") from error


@contextmanager
def _opened(name: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
    if name == STREAM:
        if sys.stdout.isatty():
            raise TargetError("an archive is not for a terminal: name a file, or send the output into a file or a pipe")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    _refuse(path, overwrite=overwrite)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with ExitStack() as stack:
        file = stack.enter_context(_only(unfinished))
        try:
            with _compressed(file, path) as stream:
                yield stream
            file.flush()
            os.fsync(file.fileno())
            _appear(unfinished, path, overwrite=overwrite)
        finally:
            unfinished.unlink(missing_ok=True)


def _refuse(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise TakenError(f"{path}: this is a directory; name a file in it")
    if path.suffix in _OTHERS:
        program = _OTHERS[path.suffix]
        raise TargetError(f"{path}: only .gz, .xz and .bz2 are known; for this one: postbell … - | {program} > {path}")
    if os.path.lexists(path) and not overwrite:
        raise TakenError(f"{path}: there is such a file already; name another one, or say --overwrite")
    if not path.parent.is_dir():
        raise BackupError(f"{path}: there is no directory {path.parent}; make it")


@contextmanager
def _only(path: Path) -> Iterator[IO[bytes]]:
    """A new file that nobody else is writing; what an archive that was cut off left behind is written over."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TakenError(f"{path}: another archive is being written there; wait for its end") from None
        os.fchmod(descriptor, 0o600)
        file.truncate(0)
        yield file


@contextmanager
def _compressed(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    match path.suffix:
        case ".gz" | ".tgz":
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL) as stream:
                yield cast("IO[bytes]", stream)
        case ".xz" | ".txz":
            with lzma.LZMAFile(file, "wb", preset=_XZ_LEVEL) as stream:
                yield stream
        case ".bz2":
            with bz2.BZ2File(file, "wb") as stream:
                yield stream
        case _:
            yield file


def _appear(unfinished: Path, path: Path, *, overwrite: bool) -> None:
    """Give the finished file its name, without writing over one that has come meanwhile."""
    if overwrite:
        unfinished.replace(path)
    else:
        try:
            os.link(unfinished, path)
        except FileExistsError:
            raise TakenError(f"{path}: there is such a file by now; it was left alone") from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            unfinished.rename(path)
    sync_directory(path.parent)
