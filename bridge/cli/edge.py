"""The edge of the command line: whatever went wrong becomes a line for people and an exit code, never a traceback.

`bridge/cli/main.py` imports it when something did go wrong.
"""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import ssl
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bridge.cli import ownership
from bridge.errors import ConfigurationError, MalformedAddressError, MalformedNameError, PostbellError, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAILED, USAGE, INTERRUPTED = 1, 2, 130
DEBUG = "POSTBELL_DEBUG"
"""The variable that shows tracebacks, as `--debug` does."""
MISUSE: Any = typer.BadParameter.__mro__[2]
"""What typer raises of a command line that it does not understand; it names but the most special kind."""


def report(error: BaseException) -> int:
    """Say on standard error what happened, as far as anybody reads there; the exit code."""
    codes = []
    with suppress(OSError):
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        for leaf in leaves(error):
            if isinstance(leaf, MISUSE):
                leaf.show()
                codes.append(leaf.exit_code)
                continue
            text, code = told(leaf)
            codes.append(code)
            if text:
                print(f"postbell: {text}", file=sys.stderr)  # noqa: T201 - this is what standard error is for
    _forget_output()
    return max(codes, default=FAILED)


def _forget_output() -> None:
    """Have nothing left for the interpreter to write when it ends: it would fail again, and say so in its own way."""
    with suppress(OSError):
        sys.stdout.flush()
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, and of groups in it; or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def told(error: BaseException) -> tuple[str, int]:
    """An error in a line, empty where nothing is to be said, and the exit code."""
    for kinds, say, code in _KNOWN:
        if isinstance(error, kinds):
            return say(error), code
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"a defect: {what}; please report it, with what the same command shows with {DEBUG}=1 before it", FAILED


def _of_pipe(error: BrokenPipeError) -> str:
    """Nothing of our own output: whoever read it has seen enough."""
    return "" if error.filename is None else _of_system(error)


def _of_installation(error: ImportError) -> str:
    return f"Postbell's own files cannot be read: {error}; make {sys.prefix} readable for this user, or install anew"


def _of_system(error: OSError) -> str:
    """What the system refused, with the file if there is one, and the advice if it is known."""
    said = in_words(error)
    advice = _ADVICE.get(error.errno or 0, "")
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return said + advice
    place = os.fsdecode(error.filename)
    if error.errno in {errno.EACCES, errno.EPERM}:
        owner = _whose(Path(place))
        advice = f"; {ownership.instead(owner) if owner else 'look at its owner and mode'}"
    return f"{place}: {said}{advice}"


def _whose(place: Path) -> ownership.StateOwner | None:
    """Who owns a file, or what is nearest above it, if that is not the user of this process."""
    nearest = next((each for each in (place, *place.absolute().parents) if os.path.lexists(each)), place)
    return ownership.somebody_else(nearest)


_ADVICE = {
    errno.ENOSPC: "; make room",
    errno.EDQUOT: "; make room",
    errno.EROFS: "; it is mounted to be read only",
}

_KNOWN: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Callable[[Any], str], int], ...] = (
    ((ConfigurationError, MalformedAddressError, MalformedNameError), str, USAGE),
    (PostbellError, str, FAILED),
    (KeyboardInterrupt, lambda _: "", INTERRUPTED),
    (typer.Abort, lambda _: "ended without an answer", FAILED),
    (BrokenPipeError, _of_pipe, FAILED),
    (ssl.SSLError, in_words, FAILED),
    (socket.gaierror, lambda error: f"a host name cannot be resolved: {error.strerror}", FAILED),
    (OSError, _of_system, FAILED),
    (sqlite3.Error, lambda error: f"the database cannot be used: {error}; look at: postbell status", FAILED),
    (ImportError, _of_installation, FAILED),
    (MemoryError, lambda _: "there is not enough memory", FAILED),
)
"""What is said of an error of these kinds, the first that fits, and the exit code."""
