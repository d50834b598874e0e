"""`python -m broker.telling check|describe|show`: what other programs ask of the broker's configuration, as JSON.

Settings come as JSON on standard input. It is a program of its own beside the broker's, because commands wait for it:
it has no options, and imports nothing that an answer does not need.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Answer the one question that there is on the command line."""
    (question,) = sys.argv[1:]
    if question == "check":
        from broker import checking  # noqa: PLC0415 - an answer needs one of these modules, and they take a while

        answer: object = checking.check(json.load(sys.stdin))
    elif question == "describe":
        from broker import describing  # noqa: PLC0415

        answer = describing.describe()
    else:
        from broker import checking, describing  # noqa: PLC0415

        answer = describing.show(checking.settings(json.load(sys.stdin)))
    sys.stdout.write(json.dumps(answer, default=str))


if __name__ == "__main__":
    main()
