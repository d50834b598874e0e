"""`python -m tests.soak`: mail, devices and an operator at work on one Postbell for a while; 1 if anything is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak import figures
from tests.soak.run import soak


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long")
    parser.add_argument("--rate", type=float, default=10.0, help="mails a second, as far as they are taken")
    parser.add_argument("--restores", type=int, default=2, help="how often all stops and a backup takes its place")
    parser.add_argument("--keep", type=Path, help="keep state and logs here")
    given = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    directory = given.keep or Path(tempfile.mkdtemp(prefix="postbell-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    result = soak(directory, seconds=given.minutes * 60, rate=given.rate, restores=given.restores, say=say)
    say("")
    for trend in figures.trends(result.samples):
        say(str(trend))
    done = ", ".join(f"{count} x {name}" for name, count in result.chores.items())
    say(f"\n{done}\n{result.accepted} accepted, {result.shown} shown, {result.refused} tried again; in {directory}")
    for wrong in result.wrong:
        say(f"WRONG: {wrong}")
    return int(bool(result.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
