"""`make bench`: every benchmark, or those that ARGS names; each checks its own work before it prints."""

from __future__ import annotations

import subprocess
import sys

from tests.bench import report

SUITES = (
    *report.SUITES,
    "reconcile",
    "bytes",
    "keepalive",
    "broker_codec",
    "broker_throughput",
    "broker_idle",
    "broker_siege",
    "ingress_siege",
    "sizing",
    "pages",
    "many_users",
    "several_bridges",
)


def main(arguments: list[str]) -> int:
    """Run the suites that are named, with the other arguments; all of them without a name. 1 if any failed."""
    known = ("report", *SUITES)
    named = [argument for argument in arguments if argument in known]
    rest = [argument for argument in arguments if argument not in known]
    failed = 0
    for suite in named or SUITES:
        sys.stdout.write(f"== {suite}\n")
        sys.stdout.flush()
        code = subprocess.run([sys.executable, "-m", f"tests.bench.{suite}", *rest], check=False).returncode
        failed |= code != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
