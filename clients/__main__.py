"""`python -m clients`."""

import sys

from clients.cli.commands import run

if __name__ == "__main__":
    sys.exit(run())
