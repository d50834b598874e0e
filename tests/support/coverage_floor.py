"""`make coverage`'s last word: how many lines and how many branches were reached, and whether it is enough of each."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

FLOOR = 97.0
"""Per cent, of lines and of branches; one figure for both would let many lines hide few branches."""


def verdict(totals: dict[str, Any], floor: float = FLOOR) -> tuple[str, bool]:
    """The line to print for coverage's totals, and whether both reach the floor."""
    lines = 100 * totals["covered_lines"] / totals["num_statements"]
    branches = 100 * totals["covered_branches"] / totals["num_branches"]
    enough = min(lines, branches) >= floor
    return (
        f"lines {lines:.1f} %, branches {branches:.1f} %: {'at least' if enough else 'NOT at least'} {floor:g} % each",
        enough,
    )


def main() -> int:
    """Print the verdict on the data that is there; 1 when it is too little."""
    command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    words, enough = verdict(report["totals"])
    print(words)  # noqa: T201 - this is what make shows
    return not enough


if __name__ == "__main__":
    sys.exit(main())
