"""Which errors of the system may pass by themselves, and which only a person can mend: that decides the exit code."""

from __future__ import annotations

import errno
from typing import Final

from bridge.errors import ConfigurationError, PostbellError

SHORTAGES: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENOSPC,
    }
)
"""Something has run out or is broken now; the same may work in a minute, with the same configuration."""


def judged(error: OSError, text: str) -> PostbellError:
    """The error to raise: one of the configuration, after which nobody starts it again, unless it may pass."""
    return PostbellError(text) if error.errno in SHORTAGES else ConfigurationError(text)
