"""Where a body goes that is being read: a file, a stream, or a human's eyes."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clients.errors import OutputError, UsageError
from clients.terminal.read.names import alternatives

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.terminal.output import Output

_UNWRITTEN = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # text has none; ESC is part of some encodings
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(content: bytes) -> str:
    """Text in which nothing commands a terminal, or turns the direction of what follows."""
    return _CONTROL.sub("\ufffd", content.decode("utf-8", "replace").replace("\r\n", "\n"))


class Destination(Protocol):
    """Takes bytes in order; then exactly one of `finish` and `abandon` is called."""

    def write(self, chunk: bytes) -> None:
        """The next bytes."""

    def finish(self) -> None:
        """That was all of it."""

    def abandon(self) -> None:
        """The rest is not going to come."""


class ReadableDestination:
    """Text for a terminal or whatever shows it later: nothing in it can command a terminal.

    With `surely_text` false it may be anything, and what is no text is refused: raises UsageError.
    """

    def __init__(self, output: Output, *, surely_text: bool = True) -> None:
        self._output = output
        self._surely_text = surely_text
        self._content = bytearray()

    def write(self, chunk: bytes) -> None:
        """Keep the bytes until all are there, so that a progress bar is not in the way."""
        begins = not self._content
        self._content += chunk
        if b"\0" in chunk or (begins and self._is_binary()):
            self._refuse()  # there is no need to wait for the rest

    def finish(self) -> None:
        """Print the text, with a line break at its end."""
        if self._is_binary():
            self._refuse()
        text = harmless(bytes(self._content))
        self._output.write((text + ("" if text.endswith("\n") else "\n")).encode())

    def abandon(self) -> None:
        """Print nothing."""

    def _is_binary(self) -> bool:
        return len(_UNWRITTEN.findall(self._content)) * 10 > len(self._content)

    def _refuse(self) -> None:
        if not self._surely_text:
            raise UsageError("this is no text, and a terminal shows nothing else; use --output FILE, or a pipe")


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
        self.path = path
        self.size = 0
        try:
            fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        self._fd, self._partial = fd, Path(name)

    def write(self, chunk: bytes) -> None:
        """Append to the partial file."""
        self.size += len(chunk)
        view = memoryview(chunk)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error

    def finish(self) -> None:
        """Give the file its name."""
        try:
            os.fsync(self._fd)
            os.close(self._fd)
            self._give_name()
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error

    def abandon(self) -> None:
        """Leave nothing behind."""
        os.close(self._fd)
        with contextlib.suppress(OSError):
            self._partial.unlink()

    def _give_name(self) -> None:
        self._partial.replace(self.path)


class NewFileDestination(FileDestination):
    """The same, in the place of no other file: `path` says after `finish` how it is called. Raises OutputError."""

    def _give_name(self) -> None:
        for name in alternatives(self.path.name):
            wanted = self.path.with_name(name)
            with contextlib.suppress(FileExistsError):
                _claim(wanted)
                self._partial.replace(wanted)
                self.path = wanted
                return


def _claim(path: Path) -> None:
    """Make an empty file where there is nothing, not even a link; raises FileExistsError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
