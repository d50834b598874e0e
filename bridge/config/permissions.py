"""Who may use a file, as values: its mode in octal digits, its owner as `user:group`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_OCTAL = re.compile(r"0?[0-7]{3}")


class FileMode(int):
    """The permission bits of a file."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The mode in three octal digits, with or without a zero before them; raises ValueError."""
        if not _OCTAL.fullmatch(text):
            raise ValueError('write three octal digits in quotes, as "0660"')
        return cls(text, 8)

    def __str__(self) -> str:
        return f"{int(self):04o}"


@dataclass(frozen=True, slots=True)
class FileOwner:
    """Names of user and group; what is empty stays as the process makes it."""

    user: str = ""
    group: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The owner in `user`, `user:group` or `:group`; whether there are such is for the system to say."""
        user, _, group = text.partition(":")
        return cls(user, group)

    def __str__(self) -> str:
        return f"{self.user}:{self.group}" if self.group else self.user


OWNER_AND_GROUP: Final = FileMode(0o660)
OURS: Final = FileOwner()
