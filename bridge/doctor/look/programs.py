"""Asking another's program, which may hang or say very much: for so long, and no longer."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ProgramSaid:
    """What it said on both its outputs, and how it ended. `whole`: it came to its end by itself."""

    said: str
    code: int
    whole: bool = True

    @property
    def last(self) -> str:
        """The last line that says anything."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return lines[-1] if lines else f"it ended with {self.code}"


def ask(command: Sequence[str], *, within_s: float, given: bytes = b"") -> ProgramSaid:
    """What a program answers to what it is given; ended when it takes longer, with what it said until then.

    Raises OSError when it cannot be run.
    """
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and words of ours
            command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        return ProgramSaid((late.output or b"").decode(errors="replace"), code=-1, whole=False)
    return ProgramSaid(done.stdout.decode(errors="replace"), done.returncode)
