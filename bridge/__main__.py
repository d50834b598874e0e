"""`postbell` and `python -m bridge`."""

import sys

from bridge.cli.main import run


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
