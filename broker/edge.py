"""The edge of the broker's process: whatever ended it becomes a line for people and an exit code, never a traceback."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from broker.errors import BrokerError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FINE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
DEBUG = "POSTBELL_DEBUG"
"""The variable that shows tracebacks."""


def report(error: BaseException) -> int:
    """Say on standard error what happened, as far as anybody reads there; the exit code."""
    codes = []
    with suppress(OSError):
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        for leaf in _leaves(error):
            text, code = told(leaf)
            codes.append(code)
            if text:
                sys.stderr.write(f"{text}\n")
    return max(codes, default=FAILED)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def told(error: BaseException) -> tuple[str, int]:
    """An error in a line, empty where nothing is to be said, and the exit code."""
    for kinds, say, code in _KNOWN:
        if isinstance(error, kinds):
            return say(error), code
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"broker: a defect: {what}; please report it, with what it shows with {DEBUG}=1", FAILED


def _of_system(error: OSError) -> str:
    """What the system refused, with the file if there is one; nothing of output that nobody reads any more."""
    if error.filename is None:
        return "" if error.errno == errno.EPIPE else f"broker: {error.strerror or error}"
    not_ours = error.errno in {errno.EACCES, errno.EPERM}
    advice = "; run the broker as the user to whom state_dir belongs" if not_ours else ""
    return f"broker: {error.filename}: {error.strerror}{advice}"


def _of_installation(error: ImportError) -> str:
    return f"broker: its own files cannot be read: {error}; make {sys.prefix} readable for this user"


_KNOWN: tuple[tuple[type[BaseException], Callable[[Any], str], int], ...] = (
    (ConfigurationError, str, USAGE),
    (BrokerError, lambda error: f"broker: {error}", FAILED),
    (KeyboardInterrupt, lambda _: "", INTERRUPTED),
    (OSError, _of_system, FAILED),
    (sqlite3.Error, lambda error: f"broker: a database in state_dir cannot be used: {error}", FAILED),
    (ImportError, _of_installation, FAILED),
)
"""What is said of an error of these kinds, the first that fits, and the exit code."""
