"""What the user is told beside the mail."""

import sys


def notice(text: str) -> None:
    """A line for the user on standard error."""
    sys.stderr.write(f"postbell: {text}\n")
    sys.stderr.flush()
