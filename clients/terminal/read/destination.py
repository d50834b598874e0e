"""Where a body goes that is being read: a file, a stream, or a human's eyes."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clients.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.terminal.output import Output

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Destination(Protocol):
    """Takes bytes in order; then exactly one of `finish` and `abandon` is called."""

    def write(self, chunk: bytes) -> None:
        """The next bytes."""

    def finish(self) -> None:
        """That was all of it."""

    def abandon(self) -> None:
        """The rest is not going to come."""


class ReadableDestination:
    """Text for a terminal or whatever shows it later: nothing in it can command a terminal."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._content = bytearray()

    def write(self, chunk: bytes) -> None:
        """Keep the bytes until all are there, so that a progress bar is not in the way."""
        self._content += chunk

    def finish(self) -> None:
        """Print the text, with a line break at its end."""
        text = self._content.decode("utf-8", "replace").replace("\r\n", "\n")
        text = _CONTROL.sub("\ufffd", text)
        self._output.write((text + ("" if text.endswith("\n") else "\n")).encode())

    def abandon(self) -> None:
        """Print nothing."""


class MemoryDestination:
    """Memory, for an answer that only makes sense as a whole."""

    def __init__(self, use: Callable[[bytes], None]) -> None:
        self._use = use
        self._content = bytearray()

    def write(self, chunk: bytes) -> None:
        """Keep the bytes."""
        self._content += chunk

    def finish(self) -> None:
        """Make use of all of them."""
        self._use(bytes(self._content))

    def abandon(self) -> None:
        """Nothing came of it."""


class StreamDestination:
    """The bytes as they are, as they come."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, chunk: bytes) -> None:
        """Pass the bytes on."""
        self._output.write(chunk)

    def finish(self) -> None:
        """Nothing is left to do."""

    def abandon(self) -> None:
        """What was passed on cannot be taken back."""


class FileDestination:
    """A file that appears under its name only when it is complete. Raises OutputError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        self._fd, self._partial = fd, Path(name)

    def write(self, chunk: bytes) -> None:
        """Append to the partial file."""
        view = memoryview(chunk)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error

    def finish(self) -> None:
        """Give the file its name."""
        try:
            os.fsync(self._fd)
            os.close(self._fd)
            self._partial.replace(self._path)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error

    def abandon(self) -> None:
        """Leave nothing behind."""
        os.close(self._fd)
        with contextlib.suppress(OSError):
            self._partial.unlink()
