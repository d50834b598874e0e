"""Single key presses from a terminal."""

from __future__ import annotations

import os
import termios
import tty
from typing import Self


class Keys:
    """Switches a terminal to key-by-key input while the context lasts. Echo is off, Ctrl-C works."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._fd)
        self.resume()
        return self

    def __exit__(self, *_exception: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def fileno(self) -> int:
        """The terminal's descriptor, to wait on."""
        return self._fd

    def resume(self) -> None:
        """Switch again, after the process was stopped and the shell had the terminal."""
        tty.setcbreak(self._fd, termios.TCSADRAIN)

    def read(self) -> str:
        """The keys that were pressed; empty at the end of input."""
        return os.read(self._fd, 64).decode(errors="ignore")
