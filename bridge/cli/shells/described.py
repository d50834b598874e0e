"""A command line as values: what every command says of itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option, or without `names` an argument. `value` is what stands for its value, empty for a switch."""

    names: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    help: str
    required: bool


@dataclass(frozen=True, slots=True)
class Described:
    """A command by its words below `postbell`, with the commands below it."""

    words: tuple[str, ...]
    help: str
    parameters: tuple[Parameter, ...]
    below: tuple[Described, ...] = ()

    @property
    def options(self) -> tuple[Parameter, ...]:
        """What it may be given by name."""
        return tuple(each for each in self.parameters if each.names)

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        """What it may be given by place."""
        return tuple(each for each in self.parameters if not each.names)

    def all(self) -> Iterator[Described]:
        """This one and all below it, in the order of the help."""
        yield self
        for each in self.below:
            yield from each.all()
