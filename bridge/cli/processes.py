"""Becoming another program of Postbell's: the broker, the reference client."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from bridge.errors import PostbellError

if TYPE_CHECKING:
    from collections.abc import Mapping


class NotStartedError(PostbellError):
    """A program of Postbell's own cannot be started by this user."""


def command(module: str, *arguments: str) -> list[str]:
    """The command line of one of our programs. It imports nothing from the directory that it happens to stand in."""
    return [sys.executable, "-P", "-m", module, *arguments]


def become(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> NoReturn:
    """End as the other program; raises NotStartedError."""
    sys.stdout.flush()
    words = command(module, *arguments)
    try:
        os.execve(words[0], words, os.environ if environment is None else {**os.environ, **environment})  # noqa: S606
    except OSError as error:
        raise NotStartedError(f"{words[0]}: {error.strerror}; install Postbell where this user may read it") from error
