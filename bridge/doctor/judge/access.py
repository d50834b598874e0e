"""Who may do what with a file, by its owner and mode and those of the folders above it. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

READ: Final = 4
WRITE: Final = 2
ENTER: Final = 1
OTHERS: Final = 0o007


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A system user, with the groups that a process of theirs would have."""

    uid: int
    name: str
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file or folder. `listed`: an access list names further users, and the mode does not tell all."""

    path: str
    uid: int
    gid: int
    mode: int
    listed: bool = False

    @property
    def permissions(self) -> str:
        """The mode in octal digits, as chmod takes it."""
        return f"{stat.S_IMODE(self.mode):04o}"


def allows(place: FileSeen, account: SystemUser, want: int) -> bool:
    """Whether owner and mode let an account in; who may be on an access list gets the benefit of the doubt."""
    if account.uid == 0 or place.listed:
        return True
    if account.uid == place.uid:
        bits = place.mode >> 6
    else:
        bits = place.mode >> 3 if place.gid in account.groups else place.mode
    return bits & want == want


def refusing(trail: Sequence[FileSeen], account: SystemUser, want: int) -> FileSeen | None:
    """The first on the way to a file that does not let an account through, or the file itself; None when all do."""
    *folders, last = trail
    for folder in folders:
        if not allows(folder, account, ENTER):
            return folder
    return None if allows(last, account, want) else last
