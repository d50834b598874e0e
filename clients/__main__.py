"""`python -m clients`."""

import sys

from clients.terminal.commands import run

if __name__ == "__main__":
    sys.exit(run())
