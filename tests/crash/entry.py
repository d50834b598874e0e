"""`python -m tests.crash.entry bridge|broker|clients …`: the real program, with a point or mutation armed.

CRASH_POINT is a `name:passage` of points.py, CRASH_MUTATION names of mutations.py; without them this
is `python -m bridge`, `python -m broker` or `python -m clients`.
"""

from __future__ import annotations

import os
import sys

from tests.crash.mutations import mutate
from tests.crash.points import arm


def main() -> int:
    program = sys.argv[1]
    del sys.argv[1]
    mutate(os.environ.get("CRASH_MUTATION", ""))
    arm(os.environ.get("CRASH_POINT", ""))
    if program == "bridge":
        from bridge.cli.main import run

        sys.argv[1:1] = ["bridge"]
        return run()
    if program == "broker":
        from broker.__main__ import main as broker

        return broker(sys.argv[1:])
    from clients.cli.commands import run as client

    return client()


if __name__ == "__main__":
    sys.exit(main())
