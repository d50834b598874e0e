"""What is wrong with a configuration, as a value: where, what, and how to mend it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LOGIN_IN_URL = re.compile(r"//[^/@\s]*@")
_SECRET: Final = ("password", "passwd", "passphrase", "secret", "token", "private")
_PLACES: Final = ("file", "path", "dir")
LONGEST: Final = 100
"""So many characters of a value are shown."""
MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. It stands in `variable`, else in `file` at `line`; with none of them it is a default that cannot be.

    `key` is dotted; empty when the file as a whole is meant. `value` is fit to be shown: see `shown`; it is empty where
    there is none. `may_pass` says that it keeps nothing from running: it can mend by itself, as a port that is in use
    and is tried again, or it may be no mistake of ours.
    """

    problem: str
    cure: str
    key: str = ""
    value: str = ""
    file: str = ""
    line: int | None = None
    variable: str = ""
    may_pass: bool = False

    @property
    def place(self) -> str:
        """Where it is to be mended: a variable, a file with or without the line, or `defaults`."""
        if self.variable or not self.file:
            return self.variable or "defaults"
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        subject = f"{self.key} = {self.value}" if self.key and self.value else self.key
        return ": ".join(part for part in (self.place, subject, f"{self.problem}; {self.cure}") if part)


def shown(value: object, *, key: str = "") -> str:
    """A value as TOML writes it, on one line and not too long; logins in URLs, and what `key` calls secret, masked."""
    if secret(key):
        return MASK
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    text = _LOGIN_IN_URL.sub(f"//{MASK}@", text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def masked(value: object, *, key: str = "") -> object:
    """A value as it may be shown: what `key` calls secret, and logins in URLs, masked."""
    if isinstance(value, str):
        return MASK if value and secret(key) else _LOGIN_IN_URL.sub(f"//{MASK}@", value)
    return value


def secret(key: str) -> bool:
    """Whether a key names something that nobody else may know; the place of a file is none."""
    name = key.rpartition(".")[2].lower()
    return any(word in name for word in _SECRET) and not any(word in name for word in _PLACES)
