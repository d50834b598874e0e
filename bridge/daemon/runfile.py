"""The run directory: how a running process says where it listens, and that it is the only one.

Each process writes `<name>.json` whole (temporary file, then rename) and holds a lock on
`<name>.lock` as long as it lives; the kernel releases that lock however the process ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from bridge.config.passing import SHORTAGES
from bridge.errors import ConfigurationError, PostbellError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


BRIDGE, BROKER = "bridge", "broker"
"""The processes that there are."""

LOOKS, LOOK_S = 5, 0.05


class AlreadyRunningError(PostbellError):
    """Another process of this kind uses the same state directory."""


class UnusableDirectoryError(ConfigurationError):
    """The state directory cannot be made or written."""


def write(directory: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Replace what the process says about itself."""
    _make(directory)
    temporary = directory / f".{name}.json.{os.getpid()}"
    temporary.write_text(json.dumps(facts), encoding="utf-8")
    temporary.replace(directory / f"{name}.json")


def _make(directory: Path) -> None:
    """Make the run directory, and the state directory above it, for this user alone."""
    for each in (directory.parent, directory):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)


def read(directory: Path, name: str) -> dict[str, Any]:
    """What a process said about itself last, running or not; empty when it never ran here."""
    try:
        facts: dict[str, Any] = json.loads((directory / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts


@contextmanager
def only_one(directory: Path, name: str) -> Iterator[None]:
    """Hold the lock of a process; raises AlreadyRunningError when another holds it, or UnusableDirectoryError.

    A disk that is full now is a PostbellError and no more: it may have room in a minute.
    """
    try:
        _make(directory)
        file = (directory / f"{name}.lock").open("a")
    except OSError as error:
        text = f"state_dir = {str(directory.parent)!r}: {error.strerror}"
        if error.errno in SHORTAGES:
            raise PostbellError(text) from error
        raise UnusableDirectoryError(f"{text}; make it a directory that this user may write") from error
    with file as lock:
        for _ in range(LOOKS):  # whoever only asked `running` lets go at once
            if _locked(lock):
                break
            time.sleep(LOOK_S)
        else:
            raise AlreadyRunningError(f"a {name} runs already with the state directory {directory.parent}")
        yield


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running(directory: Path, name: str) -> bool:
    """Whether a process of this name holds its lock now; to ask makes nothing. Who may not ask hears no."""
    try:
        with (directory / f"{name}.lock").open() as lock:
            return not _locked(lock)
    except OSError:
        return False
