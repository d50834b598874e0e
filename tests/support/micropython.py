"""MicroPython's UNIX port as a device: a process with a heap as small as a board's, its screen a file."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self

from clients.micropython.build import SOURCE, compile_to
from tests.conftest import need
from tests.support.waiting import until

HEAP = "48k"
MAIN = Path(__file__).with_name("micropython_main.py")


def compiled(target: Path, source: Path = SOURCE) -> None:
    """The bytecode of a module, as a board gets it."""
    need("mpy-cross")
    compile_to(target, source)


class Board:
    """One device; start it, give it orders, look at its screen. What it must not forget is in a file."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int,
        password: str = "secret",
        user: str = "alice",
        device: str = "board",
        authority: Path | None = None,
        heap: str = HEAP,
        asleep: bool = False,
    ) -> None:
        self.directory = directory / device
        self.directory.mkdir(exist_ok=True)
        compiled(self.directory / "postbell.mpy")
        compiled(self.directory / "device.mpy", MAIN)
        self.screen, self.state = self.directory / "screen", self.directory / "state"
        host = "localhost" if authority else "127.0.0.1"
        trust = "" if authority is None else str(authority)
        self._command = [need("micropython"), "-X", f"heapsize={heap}", "-m", "device", host, str(port)]
        self._command += [user, device, password, str(self.state), trust, *(["asleep"] if asleep else [])]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.screen.open("ab+") as screen:
            screen.seek(0)
            # A line that the power cut short was not shown: its mail has to be shown again, on a line of its own.
            screen.truncate(screen.read().rfind(b"\n") + 1)
            self.process = subprocess.Popen(
                self._command, cwd=self.directory, stdin=subprocess.PIPE, stdout=screen, stderr=screen
            )
        return self

    def kill(self) -> None:
        """The power goes."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_) -> None:
        self.kill()

    def order(self, *words: object) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()

    def lines(self, word: str = "") -> list[list[str]]:
        """What the screen says so far, or those lines of it that begin with a word, which is left out."""
        whole = self.screen.read_bytes().decode()
        assert "Traceback" not in whole, whole[-1500:]
        lines = [each.split() for each in whole.splitlines(keepends=True) if each.endswith("\n")]
        return [each[1:] for each in lines if each[0] == word] if word else lines

    def wait_for(self, word: str, count: int = 1) -> list[list[str]]:
        """The lines that begin with a word, as soon as there are so many."""
        return until(lambda: (lines := self.lines(word))[count - 1 :] and lines, what=f"{count} times {word!r}")

    def ask(self, word: str, *order: object) -> list[str]:
        """Give an order, and wait for the line that answers it."""
        before = len(self.lines(word))
        self.order(*order)
        return self.wait_for(word, before + 1)[before]

    def wait_agreed(self, live: int) -> None:
        """Wait until the box agrees with its digest, with so many live mails."""
        until(lambda: self._last() == ["agrees", str(live)], what=f"a box of {live} that agrees")

    def live(self) -> list[str]:
        return sorted(self.ask("ids", "state"))

    def _last(self) -> list[str]:
        said = [line for line in self.lines() if line[0] in ("agrees", "astray")]
        return said[-1] if said else []
