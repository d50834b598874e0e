"""Standard output, one whole entry at a time, and what it holds already after a crash."""

from __future__ import annotations

import os
import select
import stat

from clients.errors import OutputError, ReaderGoneError

TAIL_BYTES = 64 * 1024
"""How far back in a file an entry is looked for: others may write to it as well."""


class Output:
    """A file descriptor that entries are written to, unbuffered."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, entry: bytes) -> None:
        """Write an entry whole. Raises OutputError when that fails, ReaderGoneError in a closed pipe."""
        rest = memoryview(entry)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._fd, rest) :]
                except BlockingIOError:  # whoever gave us the descriptor has made it non-blocking
                    select.select((), (self._fd,), ())
        except BrokenPipeError as error:
            raise ReaderGoneError("who read standard output has gone") from error
        except OSError as error:
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error

    def missing(self, entry: bytes) -> bytes:
        """What has to be written so that the entry stands there once, if it may stand there already.

        Known exactly for a regular file: nothing if it is there, its rest if its start is all that
        the file ends with. A terminal or a pipe cannot be asked: there it is the whole entry, since
        a repeat is better than a loss.
        """
        tail = self._tail(TAIL_BYTES + len(entry))
        if (b"\n" + entry) in (b"\n" + tail):
            return b""
        start = tail.rfind(b"\n") + 1
        torn = tail[start:]
        if torn and entry.startswith(torn):
            return entry[len(torn) :]
        return (b"\n" if torn else b"") + entry

    def _tail(self, length: int) -> bytes:
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                return b""
            with open(f"/proc/self/fd/{self._fd}", "rb") as file:  # noqa: PTH123 (not a path: the same open file)
                file.seek(max(0, status.st_size - length))
                return file.read(length)
        except OSError:
            return b""
