"""What a backup consists of: its members by name, what it says of itself at its head, and their checksums at its end.

The head comes first, so that a backup of a newer version is refused before anything of it is written; the
checksums come last, when all members are known, and prove as well that nothing is missing. Pure.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Final, Self

from bridge.errors import PostbellError

FORMAT: Final = 1
HEAD: Final = "postbell-backup.json"
TAIL: Final = "checksums.json"
DATABASE: Final = "postbell.db"
KEY: Final = "local.key"
PASSWORD: Final = "mqtt-password"  # noqa: S105 - the name of a file
CONFIGURATION: Final = "postbell.toml"
SPOOL: Final = "spool/"
_NAME = re.compile(r"postbell\.db|local\.key|mqtt-password|postbell\.toml|spool/[0-9A-Za-z][0-9A-Za-z_-]*\.eml")
LONGEST_TEXT: Final = 64 * 2**20
"""Bytes of head or checksums at most: those of some 400,000 files."""


class BackupError(PostbellError):
    """A backup that cannot be made, or is not one, or is damaged, or does not fit here; the text says what to do."""


class TakenError(BackupError):
    """What was to be written is there already; it was left alone."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a backup: its name, how many bytes, and their SHA-256 in hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a backup says of itself: which Postbell made it when, of what, and how much it is."""

    format: int = FORMAT
    version: str
    schema: int
    created_ms: int
    node: str
    users: int
    messages: int
    bodies: int
    spool_files: int
    missing: tuple[str, ...] = ()
    """Spool files that rows name and that were not there any more."""
    size: int
    """Bytes of database and spool files."""

    def written(self) -> bytes:
        """Its text."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """The head in a text that `written` made; raises BackupError, also for one of another format."""
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise BackupError(f"this backup has the format {found['format']}: the version that made it restores it")
            return cls(**found | {"missing": tuple(found["missing"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BackupError(f"this is no backup of Postbell: {HEAD} cannot be read") from error


def checksums(members: list[Member]) -> bytes:
    """The text at the end."""
    return json.dumps([asdict(member) for member in members], indent=1).encode()


def parse_checksums(text: bytes) -> list[Member]:
    """The members of which the text at the end tells; raises BackupError."""
    try:
        return [Member(str(each["name"]), int(each["size"]), str(each["sha256"])) for each in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise BackupError(f"this backup is damaged: {TAIL} cannot be read; take another one") from error


def belongs(name: str) -> bool:
    """Whether a member of this name can be in a backup: nothing else is ever written where it is unpacked."""
    return _NAME.fullmatch(name) is not None


def compare(told: list[Member], found: list[Member]) -> None:
    """Raises BackupError unless what was found is what the backup tells of, each byte of it."""
    wanted, there = {member.name: member for member in told}, {member.name: member for member in found}
    for name in sorted(wanted.keys() | there.keys()):
        if name not in there:
            raise BackupError(f"this backup is damaged: {name} is missing; take another one")
        if wanted.get(name) != there[name]:
            raise BackupError(f"this backup is damaged: {name} is not what was saved; take another one")
    if DATABASE not in there:
        raise BackupError("this backup is damaged: it has no database; take another one")
