"""To whom a state directory belongs, and how commands keep it so.

The service must be able to write whatever a command leaves there. So root acts as the owner while it works in the
directory, and who is neither is told how to become the owner.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = 0


class WrongUserError(ConfigurationError):
    """The state directory belongs to somebody else; the text says to whom, and the command to type instead."""


@dataclass(frozen=True, slots=True)
class StateOwner:
    """A user of this system who owns a directory."""

    uid: int
    gid: int
    name: str
    home: str

    @property
    def groups(self) -> list[int]:
        """All groups of this user; the directory's own where the system does not know the user."""
        return os.getgrouplist(self.name, self.gid) if self.name else [self.gid]

    def __str__(self) -> str:
        return self.name or f"the user with the number {self.uid}"


def owner_of(directory: Path) -> StateOwner | None:
    """Who owns a directory; None where there is none, or where this user may not ask."""
    import pwd  # noqa: PLC0415 - most commands are run by the owner

    try:
        status = directory.stat()
    except OSError:
        return None
    try:
        user = pwd.getpwuid(status.st_uid)
    except KeyError:
        return StateOwner(status.st_uid, status.st_gid, "", "/")
    return StateOwner(user.pw_uid, user.pw_gid, user.pw_name, user.pw_dir)


def somebody_else(directory: Path) -> StateOwner | None:
    """Who owns a directory, if it is not the user of this process."""
    with suppress(OSError):
        if directory.stat().st_uid != os.geteuid():
            return owner_of(directory)
    return None


def instead(owner: StateOwner) -> str:
    """Whose it is, and the command that does the same as that user."""
    return f"this belongs to {owner}: {_sudo(owner)}{shlex.join(_this_command())}"


def _sudo(owner: StateOwner) -> str:
    variables = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith("POSTBELL_") and "PASSWORD" not in name
    ]
    who = [] if owner.uid == ROOT else ["-u", owner.name or f"#{owner.uid}"]
    return shlex.join(["sudo", *who, *variables]) + " "


def _this_command() -> list[str]:
    program, *arguments = sys.argv
    if program.endswith("__main__.py"):
        return [sys.executable, "-m", "bridge", *arguments]
    return [program, *arguments]


@contextmanager
def acting(directory: Path) -> Iterator[None]:
    """What is done meanwhile is done as the owner of the directory, if this is root's process and it is another's."""
    owner = somebody_else(directory)
    if owner is None or os.geteuid() != ROOT:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    with _allowed(owner):
        os.setgroups(owner.groups)
        os.setegid(owner.gid)
        os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(ROOT)
        os.setegid(gid)
        os.setgroups(groups)


def become(directory: Path) -> dict[str, str]:
    """Be the owner of the directory from now on, if this is root's process; what changes in the environment for it."""
    owner = somebody_else(directory)
    if owner is None or os.geteuid() != ROOT:
        return {}
    with _allowed(owner):
        os.setgroups(owner.groups)
        os.setgid(owner.gid)
        os.setuid(owner.uid)
    return {"HOME": owner.home, "USER": owner.name, "LOGNAME": owner.name}


def require(directory: Path) -> None:
    """Raise WrongUserError for a process that stays, and so must be the owner's, when it is not."""
    owner = somebody_else(directory)
    if owner is not None and (os.geteuid() == ROOT or not may_work_in(directory)):
        raise WrongUserError(f"state_dir = {str(directory)!r}: {instead(owner)}")


def may_work_in(directory: Path) -> bool:
    """Whether this process may read and write in a directory."""
    return os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)


@contextmanager
def _allowed(owner: StateOwner) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:  # root without root's rights, as in some containers
        raise WrongUserError(instead(owner)) from error
