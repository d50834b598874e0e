"""`postbell` and `python -m bridge`."""

from __future__ import annotations

import os
import sys

STANDARD = {0: "stdin", 1: "stdout", 2: "stderr"}


def main() -> None:
    """Run the command line and exit with its code."""
    _have_standard_streams()
    # Else pydantic looks through all that is installed for plugins: a tenth of the start, to run what nobody chose.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from bridge.cli.main import run  # noqa: PLC0415 - an installation that this user may not read is told as well

        code = run()
    except (ImportError, OSError) as error:
        sys.exit(f"postbell: its own files cannot be read: {error}; make {sys.prefix} readable for this user")
    sys.exit(code)


def _have_standard_streams() -> None:
    """Open those that the caller closed, so that no file of ours gets their numbers, and with them what is printed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) in STANDARD:
        name = STANDARD[descriptor]
        setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    os.close(descriptor)


if __name__ == "__main__":
    main()
