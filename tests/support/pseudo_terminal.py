"""A pseudo-terminal that a command of the tests runs on: what it shows, and keys that are pressed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.contract_player import Command


class PseudoTerminal:
    """Starts the command on it."""

    def __init__(self, command: Command, *, columns: int = 80, lines: int = 24) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.shown = b""
        command.environment |= {"TERM": "xterm-256color", "COLORTERM": ""}
        command.start(stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def shows(self, text: str) -> bool:
        """Whether the text has been shown by now."""
        with suppress(OSError):  # nobody is on the other side any more
            while select.select([self.master], (), (), 0)[0]:
                self.shown += os.read(self.master, 65536)
        return text.encode() in self.shown

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())
