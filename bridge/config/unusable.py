"""What is wrong with a value that was said: where within it, what, and what to write instead. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from bridge.config.lines import Key


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: at `key` within what was read, with the value that stands there."""

    key: Key
    problem: str
    cure: str
    value: object

    @classmethod
    def of(cls, error: ValueError, key: Key, value: object) -> Wrong:
        """What a reader said; where it gave but the cure, the problem is that."""
        problem, semicolon, cure = str(error).partition("; ")
        return cls(key, problem, cure, value) if semicolon else cls(key, "not as it should be", problem, value)

    def within(self, name: int | str) -> Wrong:
        """The same, seen from one level further out."""
        return Wrong((name, *self.key), self.problem, self.cure, self.value)


class UnusableError(ValueError):
    """All that is wrong with a value that has parts."""

    def __init__(self, *wrong: Wrong) -> None:
        super().__init__("\n".join(f"{'.'.join(map(str, each.key))}: {each.problem}; {each.cure}" for each in wrong))
        self.wrong = wrong


def wrong(error: ValueError, name: int | str, value: object) -> tuple[Wrong, ...]:
    """What a reader raised of the part of this name, in any of its two ways."""
    if isinstance(error, UnusableError):
        return tuple(each.within(name) for each in error.wrong)
    return (Wrong.of(error, (name,), value),)


def refuse(problem: str, cure: str) -> NoReturn:
    """What a reader does with a value that cannot be."""
    raise ValueError(f"{problem}; {cure}")
