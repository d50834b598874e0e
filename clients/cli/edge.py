"""The edge of the clients' command line: whatever went wrong becomes a line and an exit code, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from clients.errors import ClientError, ReaderGoneError, UsageError
from clients.terminal.notice import notice

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED, USAGE, INTERRUPTED = 1, 2, 130
DEBUG = "POSTBELL_DEBUG"
"""The variable that shows tracebacks."""


MISUSE: Any = typer.BadParameter.__mro__[2]
"""What typer raises of a command line that it does not understand; it names but the most special kind."""


def report(error: BaseException) -> int:
    """Say on standard error what happened, as far as anybody reads there; the exit code."""
    if isinstance(error, MISUSE):
        error.show()
        return int(error.exit_code)
    text, code = told(error)
    with suppress(OSError):
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        if text:
            notice(text)
    _forget_output()
    return code


def told(error: BaseException) -> tuple[str, int]:
    """An error in a line, empty where nothing is to be said, and the exit code."""
    for kinds, say, code in _KNOWN:
        if isinstance(error, kinds):
            return say(error), code
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"a defect: {what}; please report it, with what the same command shows with {DEBUG}=1 before it", FAILED


def _of_system(error: OSError) -> str:
    """What the system refused, with the file if there is one; nothing of output that nobody reads any more."""
    advice = "; make room" if error.errno == errno.ENOSPC else ""
    if not isinstance(error.filename, str | bytes):
        return "" if error.errno == errno.EPIPE else f"{error.strerror or error}{advice}"
    return f"{os.fsdecode(error.filename)}: {error.strerror}{advice}"


def _of_installation(error: ImportError) -> str:
    return f"the client's own files cannot be read: {error}; make {sys.prefix} readable for this user"


_KNOWN: tuple[tuple[type[BaseException], Callable[[Any], str], int], ...] = (
    (UsageError, str, USAGE),
    (ReaderGoneError, lambda _: "", FAILED),
    (ClientError, str, FAILED),
    (KeyboardInterrupt, lambda _: "", INTERRUPTED),
    (OSError, _of_system, FAILED),
    (ImportError, _of_installation, FAILED),
)
"""What is said of an error of these kinds, the first that fits, and the exit code."""


def _forget_output() -> None:
    """Have nothing left for the interpreter to write when it ends: it would fail again, and say so in its own way."""
    with suppress(OSError):
        sys.stdout.flush()
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
