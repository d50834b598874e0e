"""A section of the configuration as a frozen dataclass: how its keys are declared, and how what is said becomes one.

What is built in a program is taken as it is, as with every dataclass; `read` is for what people write. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bridge.config.kinds import Kind
from bridge.config.unusable import UnusableError, Wrong, refuse, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

Bound = int | float

_SETTING: Final = "setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a key beforehand, besides its type and default; `part` is the section that it stands for.

    What a section means stands in its docstring.
    """

    kind: Kind
    meaning: str = ""
    ge: Bound | None = None
    gt: Bound | None = None
    le: Bound | None = None
    part: type[Section] | None = None

    def read(self, said: object) -> Any:
        """The value for what was said; raises ValueError as the kind's reader does."""
        value = self.kind.read(said)
        if self.ge is not None and not value >= self.ge:
            refuse("too small", f"write {_plain(self.ge)} or more")
        if self.gt is not None and not value > self.gt:
            refuse("too small", f"write more than {_plain(self.gt)}")
        if self.le is not None and not value <= self.le:
            refuse("too large", f"write {_plain(self.le)} or less")
        return value


def _plain(bound: Bound) -> str:
    """A bound as people write it: 0 for 0.0."""
    return str(int(bound) if bound == int(bound) else bound)


def key(
    kind: Kind,
    default: Any,
    meaning: str,
    *,
    ge: Bound | None = None,
    gt: Bound | None = None,
    le: Bound | None = None,
) -> Any:
    """Declares a key in the body of a section. A default that is a function is asked when a section is made."""
    metadata = {_SETTING: Setting(kind, meaning, ge, gt, le)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Values by their keys, which do not change. Subclasses declare the keys; no other can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSection(Section):
    """A section that the broker reads as well: what is said of other keys stays as it was written, for the broker."""

    others: Mapping[str, Any] = field(default_factory=dict, hash=False)


S = TypeVar("S", bound=Section)


def declared(section: type[Section]) -> dict[str, Setting]:
    """The keys that a section declares, in their order."""
    return {each.name: each.metadata[_SETTING] for each in fields(section) if _SETTING in each.metadata}


def values(section: Section) -> dict[str, Any]:
    """Each declared key with its value, in their order."""
    return {name: getattr(section, name) for name in declared(type(section))}


def value(section: Section, name: str) -> Any:
    """The value of a key, one of the broker's own as it was written; None where there is nothing of that name."""
    others = section.others if isinstance(section, SharedSection) else {}
    return getattr(section, name, others.get(name))


def read(section: type[S], said: Mapping[str, Any]) -> S:
    """The section with what is said, and defaults for the rest; raises UnusableError with all that is wrong with it."""
    ours = declared(section)
    made: dict[str, Any] = {}
    problems: list[Wrong] = []
    for name in (each for each in ours if each in said):
        try:
            made[name] = ours[name].read(said[name])
        except ValueError as error:
            problems += wrong(error, name, said[name])
    others = {name: value for name, value in said.items() if name not in ours}
    if issubclass(section, SharedSection):
        made["others"] = others
    else:
        problems += [Wrong((name,), "no such key", "leave it out", value) for name, value in others.items()]
    if problems:
        raise UnusableError(*problems)
    return section(**made)


def part(name: str, section: type[S]) -> S:
    """Declares a section within what is made of several; its keys have their defaults where nothing is said of it."""

    def read_part(said: object) -> S:
        if isinstance(said, section):
            return said
        if not isinstance(said, dict):
            refuse("not a section", f"write [{name}] alone on a line, and below it key = value")
        return read(section, said)

    return field(default=section(), metadata={_SETTING: Setting(Kind("section", read_part), part=section)})
